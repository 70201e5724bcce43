"""The pages: what they link to and name exists, and their blocks marked `sh run` work, offline, on embedded stores."""

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import get_commands

from tools import parts

ROOT = settings.BASE_DIR
PAGES = {str(path.relative_to(ROOT)): path.read_text() for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]}
RUN = (ROOT / "run").read_text()
MADE = re.compile(r"\b(billing|catalog|orders)\b")  # the domain that the pages' reader makes, and the removed example
TOPS = r"(?:apps|framework|project|tools|protos|deploy|benchmarks|clients|docs|requirements|\.ci|\.github)/"

PATTERN = re.compile(r"/?\*.*|/$")  # a product may have no domain that has the file

Found = list[tuple[str, str]]


def found(pattern: str) -> Found:
    """Each page with each text of the pattern's group that is in it."""
    return sorted({(page, hit) for page, text in PAGES.items() for hit in re.findall(pattern, text)})


def anchors(text: str) -> set[str]:
    """The headings as GitHub turns them into anchors."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize(("page", "link"), found(r"\]\((?!https?:|mailto:)([^)\s]+)\)"))
def test_links_lead_somewhere(page: str, link: str):
    name, _, anchor = link.partition("#")
    target = (ROOT / page).parent / name if name else ROOT / page

    assert target.exists()
    assert not anchor or anchor in anchors(target.read_text())


@pytest.mark.parametrize(("page", "path"), found(rf"(?<![\w/.<-])({TOPS}[\w/.*-]*[\w/*])(?![<>{{])"))
def test_paths_exist(page: str, path: str):
    gone = {place for part in parts.PARTS.values() for place in part.get("paths", ())}
    assert MADE.search(path) or {path, *map(str, Path(path).parents)} & gone or any(ROOT.glob(PATTERN.sub("", path)))


@pytest.mark.parametrize(("page", "command"), found(r"(?:manage\.py|\./run manage) ([a-z_]+)"))
def test_commands_of_manage_exist(page: str, command: str):
    assert command in get_commands()


@pytest.mark.parametrize(("page", "word"), found(r"\./run ([a-z]+)"))
def test_words_after_run_are_known(page: str, word: str):
    assert re.search(rf"^    (?:[a-z]+ \| )*{word}(?: \| [a-z]+)*\)", RUN, re.MULTILINE)


@pytest.mark.parametrize(("page", "name"), found(r"\./run ((?:bench|check) [a-z]+)"))
def test_benchmarks_and_checks_are_in_the_help_of_run(page: str, name: str):
    word, detail = name.split()
    if word == "bench" and not (ROOT / "benchmarks").exists():
        pytest.skip("the benchmarks were removed")
    assert re.search(rf"^#   \./run {word}.*\b{detail}\b", RUN, re.MULTILINE)


@pytest.mark.parametrize(("page", "module"), found(r"python -m ((?:framework|tools|deploy|benchmarks)[\w.]*)"))
def test_modules_exist(page: str, module: str):
    assert find_spec(module)


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL")}
    found = kept | {"DEBUG": "1", "PIP_NO_INDEX": "1", "DATA_DIR": str(tmp_path_factory.mktemp("data"))}
    subprocess.run([sys.executable, "manage.py", "migrate", "--verbosity", "0"], cwd=ROOT, env=found, check=True)
    return found


@pytest.mark.parametrize(("page", "block"), found(r"(?ms)^```sh run\n(.*?)^```$"))
def test_blocks_run(page: str, block: str, environment: dict[str, str]):
    done = subprocess.run(["sh", "-euc", block], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
