"""AGENTS.md: short, and every command and path in it exists."""

import re

import pytest
from django.conf import settings
from django.core.management import get_commands

TEXT = (settings.BASE_DIR / "AGENTS.md").read_text()
RUN = (settings.BASE_DIR / "run").read_text()


def test_the_page_is_short():
    assert len(TEXT.splitlines()) <= 120


@pytest.mark.parametrize("word", sorted(set(re.findall(r"\./run ([a-z]+)", TEXT))))
def test_every_word_after_run_is_one_that_it_knows(word):
    assert re.search(rf"^    (?:[a-z]+ \| )*{word}(?: \| [a-z]+)*\)", RUN, re.MULTILINE)


@pytest.mark.parametrize("command", sorted(set(re.findall(r"\./run manage (\w+)", TEXT))))
def test_every_command_exists(command):
    assert command in get_commands()


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`((?:framework|project|tools|docs)/[\w/.]*)`", TEXT))))
def test_every_path_exists(path):
    assert (settings.BASE_DIR / path).exists()


def test_the_folders_are_those_that_exist():
    owners = TEXT.partition("## Who owns what")[2].partition("## ")[0]
    folders = re.findall(r"\b(\w+)/", "".join(re.findall(r"^\| `([^`]*)`", owners, re.MULTILINE)))

    assert all((settings.BASE_DIR / folder).is_dir() for folder in folders)
    assert {"apps", "project", "protos", "framework", "tools"} <= set(folders)
