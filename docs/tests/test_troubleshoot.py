import re

import pytest
from django.conf import settings

ROOT = settings.BASE_DIR
# What others say: Django, SQLite, PostgreSQL.
OTHERS = {"no such table", "does not exist"}
PAGE = (ROOT / "docs" / "troubleshoot.md").read_text()
CELLS = re.findall(r"^\| ([^|]*`[^|]*) \|", PAGE, re.MULTILINE)
SAID = {text for cell in CELLS for text in re.findall("`([^`]+)`", cell) if "/" not in text and text not in OTHERS}
FOLDERS = ("framework", "project", "tools", "apps")
FILES = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")]
CODE = [path.read_text() for path in [*FILES, ROOT / "run"]]


@pytest.mark.parametrize("text", sorted(SAID - {".env.example"}))
def test_what_the_page_quotes_is_said_by_the_code(text: str):
    assert any(text in code for code in CODE)
