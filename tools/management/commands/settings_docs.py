"""`manage.py settings_docs`: `.env.example` and docs/settings.md from the declaration in project/env.py."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from project.env import Env

INTRODUCTION = """# Settings

Every environment variable, in the order of `framework/variables.py` and `project/env.py`, from which
`manage.py settings_docs` makes this page and `.env.example`. A file `.env` beside `manage.py` is read; the environment
wins over it. All are checked at start, and all problems are listed at once.

| variable | default | what it is |
|---|---|---|
"""
DOMAIN_URL = (
    "<DOMAIN>_URL",
    "",
    "Where a domain lives that is not in DOMAINS: `CATALOG_URL=grpc://host:port`, `grpcs://` for TLS."
    " Its functions are called there, and its GraphQL fields stay; see docs/splitting.md.",
)


def files() -> dict[Path, str]:
    """The two generated files, by path."""
    rows = [(name.upper(), _default(field), str(field.description)) for name, field in Env.model_fields.items()]
    table = "".join(f"| `{name}` | {_cell(default)} | {text} |\n" for name, default, text in [*rows, DOMAIN_URL])
    example = "\n".join(f"# {text}\n#{name}={default}\n" for name, default, text in rows)
    return {
        settings.BASE_DIR / "docs" / "settings.md": INTRODUCTION + table,
        settings.BASE_DIR / ".env.example": "# Copy to .env and uncomment what differs here.\n\n" + example,
    }


def _default(field: FieldInfo) -> str:
    value = field.default
    if isinstance(value, SecretStr) or value is None or not isinstance(value, bool | int | float | str | Path | tuple):
        return ""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, Path):
        return str(value.relative_to(settings.BASE_DIR))
    return ",".join(value) if isinstance(value, tuple) else str(value)


def _cell(default: str) -> str:
    return f"`{default}`" if default else ""


class Command(BaseCommand):
    help = "Writes .env.example and docs/settings.md."

    def handle(self, *args: Any, **options: Any) -> None:
        for path, text in files().items():
            path.write_text(text)
            self.stdout.write(f"{path.relative_to(settings.BASE_DIR)}: written")
