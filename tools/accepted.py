"""Changes that break clients and were accepted: docs/schema-changes.md and docs/proto-changes.md."""

import re
from pathlib import Path

from django.core.management.base import CommandError, OutputWrapper

_LINE = re.compile(r"^- `(?P<change>.+)`: \S.*$", re.MULTILINE)


def changes(document: Path) -> set[str]:
    """The changes that the file accepts: lines of the form "- `change`: reason"."""
    return {match["change"] for match in _LINE.finditer(document.read_text())}


def check(found: list[str], document: Path, release: str, out: OutputWrapper) -> None:
    """Print what breaks clients of the release. Raises CommandError for what the file does not accept."""
    reasons = changes(document)
    for change in found:
        out.write(f"{'accepted' if change in reasons else 'NEW'}  {change}")
    if set(found) - reasons:
        raise CommandError(
            f"Clients of {release} may break. Undo the changes marked NEW, or accept each in docs/{document.name},"
            " one line: - `change`: reason"
        )
