"""Products from files, CSV or JSON Lines: each row with where it stands and what is wrong with it."""

import csv
import json
import re
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any, BinaryIO, NamedTuple, NoReturn, Protocol, TextIO, get_type_hints

from apps.catalog import repository
from apps.catalog.entities import ProductDraft

MAX_LINE = 1 << 20  # bytes
NOT_IMPORTED = {"is_active": "a product is archived one by one, with its version"}
REQUIRED = ("sku", "name", "price")
REASON = "reason"  # stands in a file of refused rows and is ignored here, so that it can be mended and read again


class BadFile(Exception):
    """The file as a whole cannot be imported; the text says why."""


class Row(NamedTuple):
    """One row, good (a draft) or bad (problems by field; "" is the row as a whole)."""

    line: int  # the first it stands on, counted from 1
    source: Any  # as it was read, for the file of refused rows
    draft: ProductDraft | None
    columns: tuple[str, ...]  # which of the draft's fields the row gave
    problems: Mapping[str, str]

    @property
    def reason(self) -> str:
        return "; ".join(f"{field}: {text}" if field else text for field, text in self.problems.items())


class Lines:
    """A binary file's lines as text. Bytes that are no UTF-8 become surrogates, so that only their row is bad."""

    def __init__(self, file: BinaryIO) -> None:
        self.number = 0  # of the last line read
        self.bytes = 0  # read so far
        self.record = ""  # the lines since it was emptied
        self._file = file

    def __iter__(self) -> Iterator[str]:
        """Raises BadFile for a line that is too long to be text."""
        while raw := self._file.readline(MAX_LINE + 1):
            self.number += 1
            if len(raw) > MAX_LINE:
                raise BadFile(f"line {self.number} has more than {MAX_LINE} bytes: this is no file of products")
            self.bytes += len(raw)
            text = raw.decode("utf-8", "surrogateescape")
            text = text.removeprefix("\ufeff") if self.number == 1 else text
            self.record += text
            yield text


class Rows(Protocol):
    """A file's rows, and how the refused ones are written down in the file's own format."""

    def __init__(self, lines: Lines) -> None: ...

    def __iter__(self) -> Iterator[Row]: ...

    def write(self, row: Row, file: TextIO) -> None: ...


class CsvRows:
    """Comma-separated values under a header row."""

    def __init__(self, lines: Lines) -> None:
        """Raises BadFile when the header lacks a column, or has one that is unknown or stands twice."""
        self._lines = lines
        self._cells = csv.reader(lines, strict=True, skipinitialspace=True)
        try:
            self._header = next(self._cells)
        except StopIteration:
            raise BadFile("is empty") from None
        except csv.Error as error:
            raise BadFile(f"the header row is not CSV: {error}") from None
        _check_header(self._header)
        self._columns = [name for name in self._header if name != REASON]
        self._headed = False

    def __iter__(self) -> Iterator[Row]:
        while True:
            line, self._lines.record = self._lines.number + 1, ""
            try:
                cells = next(self._cells, None)
            except csv.Error as error:
                yield _refused(line, [self._lines.record], f"is not CSV: {error}")
                continue
            if cells is None:
                return
            if cells and len(cells) != len(self._header):
                yield _refused(line, cells, f"has {len(cells)} values, the header has {len(self._header)}")
            elif cells:
                yield _row(line, cells, dict(zip(self._header, cells, strict=True)))

    def write(self, row: Row, file: TextIO) -> None:
        writer = csv.writer(file)
        if not self._headed:
            writer.writerow([*self._columns, REASON])
            self._headed = True
        known = dict(zip(self._header, row.source, strict=False))
        surplus = row.source[len(self._header) :]
        writer.writerow([*(known.get(name, "") for name in self._columns), row.reason, *surplus])


class JsonRows:
    """One JSON object a line."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines

    def __iter__(self) -> Iterator[Row]:
        for text in self._lines:
            self._lines.record = ""
            if text.strip():
                yield self._read(text)

    def _read(self, text: str) -> Row:
        line = self._lines.number
        try:
            value = json.loads(text, parse_float=Decimal, parse_constant=_no_number)
        except (ValueError, ArithmeticError, RecursionError) as error:
            return _refused(line, text.rstrip(), f"is not JSON: {error}")
        if not isinstance(value, dict):
            return _refused(line, text.rstrip(), "must be a JSON object")
        return _row(line, value, value)

    def write(self, row: Row, file: TextIO) -> None:
        source = row.source if isinstance(row.source, dict) else {"text": row.source}
        file.write(json.dumps(source | {REASON: row.reason}, default=str) + "\n")


FORMATS: Mapping[str, type[Rows]] = {"csv": CsvRows, "jsonl": JsonRows}


class Stage:
    """Good rows waiting to be written, in a temporary file: memory stays flat, and the database unlocked."""

    def __init__(self) -> None:
        self._rows = sqlite3.connect("")
        self._rows.execute("PRAGMA journal_mode = OFF")
        self._rows.execute(
            f"CREATE TABLE staged ({', '.join(ProductDraft._fields)}, columns, line, PRIMARY KEY (sku)) WITHOUT ROWID"
        )

    def add(self, row: Row) -> Row:
        """Keep a good row; returns it, or the row that it becomes when its SKU stood in the file before."""
        assert row.draft is not None
        values = (*row.draft._replace(price=str(row.draft.price)), ",".join(row.columns), row.line)  # type: ignore[arg-type]
        try:
            self._rows.execute(f"INSERT INTO staged VALUES ({', '.join('?' * len(values))})", values)  # noqa: S608
        except sqlite3.IntegrityError:
            (first,) = self._rows.execute("SELECT line FROM staged WHERE sku = ?", values[:1]).fetchone()
            return row._replace(draft=None, problems={"sku": f"stands on line {first} already"})
        return row

    def chunks(self, size: int) -> Iterator[tuple[list[ProductDraft], tuple[str, ...]]]:
        """The drafts by SKU, `size` at a time, with the fields that their rows gave."""
        for (columns,) in self._rows.execute("SELECT DISTINCT columns FROM staged").fetchall():
            found = self._rows.execute("SELECT * FROM staged WHERE columns = ?", [columns])
            while chunk := found.fetchmany(size):
                drafts = [ProductDraft._make(values[: len(ProductDraft._fields)]) for values in chunk]
                yield [draft._replace(price=Decimal(draft.price)) for draft in drafts], tuple(columns.split(","))


def _check_header(header: list[str]) -> None:
    if not all(map(_is_utf8, header)):
        raise BadFile("the header row is not UTF-8")
    problems = {
        "missing": [name for name in REQUIRED if name not in header],
        "unknown": [name for name in header if name not in _PARSERS and name != REASON],
        "twice": sorted({name for name in header if header.count(name) > 1}),
    }
    found = "; ".join(f"{what}: {', '.join(map(repr, names))}" for what, names in problems.items() if names)
    if found:
        raise BadFile(f"the header row must name columns of {', '.join(_PARSERS)}, comma-separated ({found})")


def _row(line: int, source: Any, values: Mapping[str, Any]) -> Row:
    problems = {name: "is missing" for name in REQUIRED if name not in values}
    parsed: dict[str, Any] = {}
    for name, value in values.items():
        try:
            if name in _PARSERS:
                parsed[name] = _PARSERS[name](value)
            elif name != REASON:
                problems[repr(name[:40])] = "is unknown"
        except ValueError as error:
            problems[name] = str(error)
    if not problems:
        draft = ProductDraft(**parsed)
        problems = repository.draft_errors(draft)
    return Row(line, source, None if problems else draft, tuple(sorted(parsed)), problems)


def _refused(line: int, source: Any, reason: str) -> Row:
    return Row(line, source, None, (), {"": reason})


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("must be text")
    if not _is_utf8(value):
        raise ValueError("is not UTF-8")
    return value


def _price(value: Any) -> Decimal:
    if type(value) in (int, Decimal):
        return Decimal(value)
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,20}(\.[0-9]{1,20})?", value.strip()):
        return Decimal(value.strip())
    raise ValueError("must be a number like 12.50")


def _stock(value: Any) -> int:
    if type(value) is int:
        return value
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,20}", value.strip()):
        return int(value)
    raise ValueError("must be a whole number")


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number")


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


_BY_TYPE: Mapping[Any, Callable[[Any], Any]] = {str: _text, Decimal: _price, int: _stock}
_PARSERS: Mapping[str, Callable[[Any], Any]] = {
    name: _BY_TYPE[kind] for name, kind in get_type_hints(ProductDraft).items() if name not in NOT_IMPORTED
}
