"""`manage.py import_products FILE`: create and update products from a file."""

import os
import signal
import sys
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath
from types import FrameType
from typing import Any, BinaryIO, NoReturn, TextIO

from django.core.management.base import BaseCommand, CommandError
from django.db import reset_queries, transaction

from apps.catalog import repository
from apps.catalog.imports import FORMATS, BadFile, Lines, Row, Rows, Stage
from framework.actor import SYSTEM
from framework.audit import trail

CHUNK = 1000  # rows a statement
SHOWN = 50  # bad rows on the screen
REDRAW = 0.2  # seconds
SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Command(BaseCommand):
    help = (
        "Creates products from a file, and updates those whose SKU is known. Columns (CSV) or keys (JSON Lines):"
        " sku, name, price; if you like, description, currency, stock. What the file does not have stays as it is."
        " When a row is bad, nothing is imported, unless --skip-bad."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", help="the file; - for standard input")
        parser.add_argument("--format", choices=FORMATS, help="default: what the file's name ends with")
        parser.add_argument("--skip-bad", action="store_true", help="import the good rows; exit code 1 all the same")
        parser.add_argument("--bad-file", help="where to write bad rows with reasons; with --skip-bad: FILE.bad")

    def handle(self, *args: Any, **options: Any) -> None:
        name, skip_bad = options["file"], options["skip_bad"]
        rows_of = FORMATS[options["format"] or _format_of(name)]
        refused = Refused(self.stderr, _bad_path(name, options["bad_file"], skip_bad=skip_bad))
        try:
            with _interruptible(), _open(name) as file, refused:
                written = _import(file, rows_of, refused, skip_bad=skip_bad)
        except KeyboardInterrupt:
            raise CommandError("Interrupted: nothing was imported.", returncode=130) from None
        except (BadFile, OSError) as error:
            raise CommandError(f"{name}: {getattr(error, 'strerror', None) or error}.") from None
        if refused.count:
            raise CommandError(f"{written} products imported; {refused}.")
        self.stdout.write(self.style.SUCCESS(f"{written} products imported."))


class Refused:
    """The bad rows: the first ones on the screen, all in the file for them."""

    def __init__(self, screen: Any, path: Path | None) -> None:
        self.count = 0
        self._screen = screen
        self._path = path
        self._part = path and path.with_name(f"{path.name}.part")
        self._file: TextIO | None = None

    def __enter__(self) -> "Refused":
        """Raises OSError when the file cannot be written."""
        if self._part:
            self._file = self._part.open("w", encoding="utf-8", errors="surrogateescape", newline="")
        return self

    def __exit__(self, *_: object) -> None:
        if self._file and self._part:
            self._file.close()
            self._part.unlink(missing_ok=True)

    def __str__(self) -> str:
        return f"bad rows: {self.count}{f', written to {self._path}' if self._path else ''}"

    def add(self, rows: Rows, row: Row) -> None:
        self.count += 1
        if self.count <= SHOWN:
            self._screen.write(f"line {row.line}: {row.reason}")
        elif self.count == SHOWN + 1:
            self._screen.write("... and more: see --bad-file")
        if self._file:
            rows.write(row, self._file)

    def publish(self) -> None:
        """Give the file its name, in one step; without bad rows there is none."""
        if self.count and self._file and self._part and self._path:
            self._file.flush()
            os.replace(self._part, self._path)


class Progress:
    """One line on a terminal, drawn anew now and then."""

    def __init__(self, verb: str, total: int) -> None:
        self._verb = verb
        self._total = total  # 0 when nobody knows
        self._shown = sys.stderr.isatty()
        self._started = self._drawn = time.monotonic()

    def show(self, done: int, rows: int) -> None:
        """`done` is of the total, whatever that counts."""
        now = time.monotonic()
        if self._shown and now - self._drawn >= REDRAW:
            self._drawn = now
            bar = f"[{'#' * (30 * done // self._total):<30}] {done / self._total:4.0%} " if self._total else ""
            sys.stderr.write(f"\r\033[K{bar}{rows:,} rows {self._verb}, {rows / (now - self._started):,.0f} a second")
            sys.stderr.flush()

    def end(self) -> None:
        if self._shown:
            sys.stderr.write("\r\033[K")


def _import(file: BinaryIO, rows_of: type[Rows], refused: Refused, *, skip_bad: bool) -> int:
    """Returns how many products were written. Raises BadFile."""
    stage = Stage()
    good = _stage(file, rows_of, refused, stage)
    if not good and not refused.count:
        raise BadFile("has no rows")
    if refused.count and not skip_bad:
        refused.publish()
        return 0
    with transaction.atomic():
        _write(stage, good)
        refused.publish()  # before the commit: no row is ever neither imported nor kept
        _ignore_signals()  # a commit is not interrupted, so that the message never lies
    return good


def _stage(file: BinaryIO, rows_of: type[Rows], refused: Refused, stage: Stage) -> int:
    lines = Lines(file)
    rows = rows_of(lines)
    progress = Progress("read", _size(file))
    good = 0
    for number, row in enumerate(rows, start=1):
        staged = row if row.problems else stage.add(row)
        if staged.problems:
            refused.add(rows, staged)
        else:
            good += 1
        progress.show(lines.bytes, number)
    progress.end()
    return good


def _write(stage: Stage, total: int) -> None:
    progress = Progress("written", total)
    written = 0
    for drafts, columns in stage.chunks(CHUNK):
        with transaction.atomic():
            repository.upsert_products(drafts, columns)
            after = {"skus": [draft.sku for draft in drafts], "columns": columns}
            trail.record(SYSTEM, "catalog.import_products", "catalog.product", after=after)
        reset_queries()  # under DEBUG, Django keeps every statement
        written += len(drafts)
        progress.show(written, written)
    progress.end()


def _format_of(name: str) -> str:
    suffix = PurePath(name.removesuffix(".bad")).suffix.removeprefix(".").lower()
    if suffix not in FORMATS:
        raise CommandError(f"{name}: say --format {' or --format '.join(FORMATS)}; the name does not end with either.")
    return suffix


def _bad_path(name: str, given: str | None, *, skip_bad: bool) -> Path | None:
    if given is None and skip_bad and name == "-":
        raise CommandError("--skip-bad needs --bad-file when the rows come from standard input.")
    path = given or (f"{name}.bad" if skip_bad else None)
    if path and Path(path).resolve() == Path(name).resolve():
        raise CommandError("--bad-file is the file to be imported.")
    return Path(path) if path else None


@contextmanager
def _open(name: str) -> Iterator[BinaryIO]:
    if name == "-":
        yield sys.stdin.buffer
        return
    with Path(name).open("rb") as file:
        yield file


def _size(file: BinaryIO) -> int:
    """In bytes; 0 for a pipe."""
    try:
        return os.fstat(file.fileno()).st_size
    except OSError:
        return 0


@contextmanager
def _interruptible() -> Iterator[None]:
    """SIGTERM ends the work as Ctrl-C does: with everything undone."""
    before = {number: signal.signal(number, _interrupt) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def _ignore_signals() -> None:
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
