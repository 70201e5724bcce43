"""`manage.py protos`: everything that is made from the wire contracts, and what they are checked for."""

import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from google.type import money_pb2

from tools import accepted, programs, wheel

PROTOS = settings.BASE_DIR / "protos"
RELEASED = PROTOS / "released.binpb"
ACCEPTED = settings.BASE_DIR / "docs" / "proto-changes.md"
ALWAYS = "google/type/money.proto"  # buf refuses an image without files, which it would be without domains


def generate(output: Path) -> None:
    """Write the messages, stubs and their types of every proto file below `output`.

    Raises CommandError when protoc is not installed or refuses a file.
    """
    plugins = [f"--{name}_out={output}" for name in ("python", "grpc_python", "mypy", "mypy_grpc")]
    # From the root, so that the generated imports are absolute: protos.catalog.v1.
    if sources := _sources(settings.BASE_DIR):
        _protoc(settings.BASE_DIR, *plugins, *sources)


def describe(output: Path, *, comments: bool = True) -> None:
    """Write all contracts as one descriptor set, which buf reads without a network.

    Raises CommandError as `generate` does.
    """
    source = ["--include_source_info"] if comments else []
    _protoc(PROTOS, "--include_imports", *source, f"--descriptor_set_out={output}", *_sources(PROTOS), ALWAYS)


def lint() -> None:
    """Raises CommandError when buf is missing, or finds something, which it prints."""
    if not (paths := _paths()):
        return
    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder) / "protos.binpb"
        describe(image)
        if _buf("lint", image, *paths).returncode:
            raise CommandError("buf found the above.")


def breaking() -> list[str]:
    """What breaks clients of the last release, in words.

    Raises CommandError when buf is missing or cannot compare.
    """
    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder) / "protos.binpb"
        describe(image)
        words = ("--against", str(RELEASED), "--error-format", "json")
        done = _buf("breaking", image, *words, capture_output=True, text=True)
    if done.returncode and not done.stdout:
        raise CommandError(done.stderr.strip())
    found = map(json.loads, done.stdout.splitlines())
    return [f"{problem.get('path', 'protos')}: {problem['message']}" for problem in found]


def _buf(verb: str, image: Path, *words: str, **options: Any) -> "subprocess.CompletedProcess[str]":
    command = [programs.path("buf"), verb, str(image), "--config", str(PROTOS / "buf.yaml"), *words]
    return subprocess.run(command, check=False, **options)


def _paths() -> list[str]:
    """Our own files; the image has those of google too."""
    domains = sorted({Path(path).parts[0] for path in _sources(PROTOS)})
    return [word for domain in domains for word in ("--path", domain)]


def _protoc(root: Path, *words: str) -> None:
    try:
        import grpc_tools
        from grpc_tools import protoc
    except ImportError:
        raise CommandError("protoc is missing: pip install -r requirements/dev.txt") from None
    includes = [root, Path(str(grpc_tools.__file__)).parent / "_proto", Path(str(money_pb2.__file__)).parents[2]]
    if protoc.main(["protoc", *(f"-I{path}" for path in includes), *words]) != 0:
        raise CommandError("protoc refused the files; its message stands above.")


def _sources(root: Path) -> list[str]:
    """Our files, as protoc names them below `root`."""
    return [str(path.relative_to(root)) for path in sorted(PROTOS.glob("**/*.proto"))]


class Command(BaseCommand):
    help = "Generates the Python code of protos/**/*.proto beside the files, or does what an option says instead."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--lint", action="store_true", help="Check the style with buf.")
        parser.add_argument("--breaking", action="store_true", help="Check for changes that break released clients.")
        parser.add_argument("--release", action="store_true", help="Keep the contracts as those of the last release.")
        parser.add_argument(
            "--wheel",
            nargs="?",
            const=settings.BASE_DIR / "dist",
            type=Path,
            metavar="DIR",
            help="Build the client package of CLIENT_VERSION into a folder (dist).",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        chosen = [name for name in ("lint", "breaking", "release", "wheel") if options[name]]
        if not chosen:
            generate(settings.BASE_DIR)
            self._say("current")
        if options["lint"]:
            lint()
            self._say("fine")
        if options["breaking"]:
            accepted.check(breaking(), ACCEPTED, "the last release", self.stdout)
            self._say("nothing new breaks clients of the last release")
        if options["release"]:
            describe(RELEASED, comments=False)
            self._say(f"{RELEASED.name} written")
        if options["wheel"]:
            if not _sources(PROTOS):
                raise CommandError("There is nothing to call: protos/ holds no contract of a domain.")
            self._say(f"{wheel.build(options['wheel'])} built")

    def _say(self, text: str) -> None:
        self.stdout.write(self.style.SUCCESS(f"protos: {text}"))
