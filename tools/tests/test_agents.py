"""AGENTS.md: short, and its folders are those that exist. test_docs.py checks its commands and paths."""

import re

from django.conf import settings

TEXT = (settings.BASE_DIR / "AGENTS.md").read_text()


def test_the_page_is_short():
    assert len(TEXT.splitlines()) <= 120


def test_the_folders_are_those_that_exist():
    owners = TEXT.partition("## Who owns what")[2].partition("## ")[0]
    folders = re.findall(r"\b(\w+)/", "".join(re.findall(r"^\| `([^`]*)`", owners, re.MULTILINE)))

    assert all((settings.BASE_DIR / folder).is_dir() for folder in folders)
    assert {"apps", "project", "protos", "framework", "tools"} <= set(folders)
