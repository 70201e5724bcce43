"""`manage.py protos`: generate the Python code of the wire contracts, and check their style."""

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from google.type import money_pb2

PROTOS = settings.BASE_DIR / "protos"


def generate(output: Path) -> None:
    """Write the messages, stubs and their types of every proto file below `output`.

    Raises CommandError when protoc is not installed or refuses a file.
    """
    plugins = [f"--{name}_out={output}" for name in ("python", "grpc_python", "mypy", "mypy_grpc")]
    # From the root, so that the generated imports are absolute: protos.catalog.v1.
    _protoc(settings.BASE_DIR, *plugins)


def describe(output: Path) -> None:
    """Write all contracts as one descriptor set, which buf reads without a network.

    Raises CommandError as `generate` does.
    """
    _protoc(PROTOS, "--include_imports", "--include_source_info", f"--descriptor_set_out={output}")


def lint() -> None:
    """Raises CommandError when buf is missing, or finds something, which it prints."""
    buf = shutil.which("buf")
    if buf is None:
        raise CommandError("buf is missing: pip install -r requirements/dev.txt")
    domains = sorted({path.relative_to(PROTOS).parts[0] for path in _sources()})
    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder) / "protos.binpb"
        describe(image)
        paths = [word for domain in domains for word in ("--path", domain)]
        command = [buf, "lint", str(image), "--config", str(PROTOS / "buf.yaml"), *paths]
        if subprocess.run(command, check=False).returncode:
            raise CommandError("buf found the above.")


def _protoc(root: Path, *options: str) -> None:
    try:
        import grpc_tools
        from grpc_tools import protoc
    except ImportError:
        raise CommandError("protoc is missing: pip install -r requirements/dev.txt") from None
    includes = [root, Path(str(grpc_tools.__file__)).parent / "_proto", Path(str(money_pb2.__file__)).parents[2]]
    sources = [str(path.relative_to(root)) for path in _sources()]
    if protoc.main(["protoc", *(f"-I{path}" for path in includes), *options, *sources]) != 0:
        raise CommandError("protoc refused the files; its message stands above.")


def _sources() -> list[Path]:
    return sorted(PROTOS.glob("**/*.proto"))


class Command(BaseCommand):
    help = "Generates the Python code of protos/**/*.proto beside the files; with --lint checks their style instead."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--lint", action="store_true", help="Check the style with buf; write nothing.")

    def handle(self, *args: Any, **options: Any) -> None:
        lint() if options["lint"] else generate(settings.BASE_DIR)
        self.stdout.write(self.style.SUCCESS("protos: current" if not options["lint"] else "protos: fine"))
