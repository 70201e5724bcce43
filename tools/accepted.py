"""Changes that break clients and were accepted: docs/schema-changes.md and docs/proto-changes.md."""

import re
from pathlib import Path

_LINE = re.compile(r"^- `(?P<change>.+)`: \S.*$", re.MULTILINE)


def changes(document: Path) -> set[str]:
    """The changes that the file accepts: lines of the form "- `change`: reason"."""
    return {match["change"] for match in _LINE.finditer(document.read_text())}
