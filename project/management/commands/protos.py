"""`manage.py protos`: generate the Python code of the wire contracts, and keep it current."""

import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from google.type import money_pb2


def generate(output: Path) -> None:
    """Write the messages, stubs and their types of every proto file below `output`.

    Raises CommandError when protoc is not installed or refuses a file.
    """
    try:
        import grpc_tools
        from grpc_tools import protoc
    except ImportError:
        raise CommandError("protoc is missing: pip install -r requirements/dev.txt") from None
    sources = sorted(str(path.relative_to(settings.BASE_DIR)) for path in settings.BASE_DIR.glob("protos/**/*.proto"))
    includes = [
        settings.BASE_DIR,
        files(grpc_tools) / "_proto",
        Path(str(money_pb2.__file__)).parents[2],
    ]
    plugins = [f"--{name}_out={output}" for name in ("python", "grpc_python", "mypy", "mypy_grpc")]
    if protoc.main(["protoc", *(f"-I{path}" for path in includes), *plugins, *sources]) != 0:
        raise CommandError("protoc refused the files; its message stands above.")


class Command(BaseCommand):
    help = "Generates the Python code of protos/**/*.proto beside the files."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        generate(settings.BASE_DIR)
        self.stdout.write(self.style.SUCCESS("protos: current"))
