"""What is removed is named nowhere that is read by a program, and the rest is whole.

Here what is left is imported whole and tested in part, for the sake of time; `.ci/removal` does the rest.
"""

import os
import re
import shutil
import subprocess
import sys

import pytest

from project.env import BASE_DIR, Env
from tools import adopt, parts

LEFT_OUT = shutil.ignore_patterns(".git", ".venv", "var", "node_modules", "__pycache__", ".*_cache")
HERE = parts.present(BASE_DIR)
DOMAINS = Env.model_fields["domains"].default
CHECK = """
import django
django.setup()
from django.core.management import call_command
call_command("check")
call_command("makemigrations", check=True, dry_run=True)
call_command("protos", lint=True, breaking=True)
from importlinter.cli import lint_imports_command
lint_imports_command()
"""
PART = [
    "project/tests/test_env.py",
    "project/tests/test_schema.py",
    "project/tests/test_seam.py",
    "tools/tests/test_agents.py",
    "tools/tests/test_docs.py",
    "tools/tests/test_protos.py",
]


@pytest.fixture
def tree(tmp_path):
    return shutil.copytree(BASE_DIR, tmp_path / "tree", ignore=LEFT_OUT, symlinks=True)


def run(tree, *command, fails=False):
    """Run it in the tree; show what it says when it fails."""
    environ = os.environ | {"DEBUG": "1", "DATA_DIR": str(tree / "var"), "DJANGO_SETTINGS_MODULE": "project.settings"}
    for variable in ("DOMAINS", "DATABASE_URL", *(f"{domain.upper()}_URL" for domain in DOMAINS)):
        environ.pop(variable, None)
    done = subprocess.run(
        [sys.executable, *command], cwd=tree, env=environ, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert (done.returncode != 0) is fails, done.stdout[-5000:]
    return done.stdout


def named(tree, pattern):
    """The files, outside of the pages that explain by the example, that match."""
    files = [path for folder in (".ci", ".github", "deploy", "project", "apps") for path in (tree / folder).rglob("*")]
    files += [tree / name for name in ("run", "pytest.ini", "pyproject.toml", "README.md", "AGENTS.md")]
    texts = {path: path.read_text() for path in files if path.is_file() and "__pycache__" not in path.parts}
    return [path.relative_to(tree).as_posix() for path, text in texts.items() if re.search(pattern, text)]


@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    ("names", "pattern"),
    [
        (["orders"], r"apps[./]orders|\bclients/|\bbenchmarks[ ./]|placeOrder"),
        (["shop", "ecs", "monitoring"], r"apps[./](orders|catalog)|\bproducts\b|deploy[./](ecs|grafana|prometheus)"),
    ],
)
def test_without_a_part_the_rest_is_whole(tree, names, pattern):
    if missing := set(names) - set(HERE):
        pytest.skip(f"removed already: {', '.join(missing)}")
    run(tree, "manage.py", "remove", *names)

    assert set(named(tree, pattern)) <= {".ci/removal"}  # which deletes the workshop, whatever is left of it
    assert "0 broken" in run(tree, "-c", CHECK)
    assert " passed" in run(tree, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-k", "not blocks_run", *PART)


@pytest.mark.skipif((BASE_DIR / adopt.RECORD).exists(), reason="a product may have written the places anew")
@pytest.mark.parametrize("name", HERE)
def test_every_edit_of_a_part_finds_its_place(name):
    edits = parts.PARTS.get(name, {}).get("edits", {})
    for path, pairs in edits.items():
        for pattern, _ in pairs:
            assert not (BASE_DIR / path).exists() or re.search(pattern, (BASE_DIR / path).read_text(), re.M), pattern


def test_what_cannot_be_removed_is_refused_with_the_cure(tree):
    assert "There is no 'nothing' to remove. There are:" in run(tree, "manage.py", "remove", "nothing", fails=True)
    assert "Say what to remove:" in run(tree, "manage.py", "remove", fails=True)
    assert "accounts" not in HERE
    if {"orders", "catalog"} <= set(HERE):
        refused = run(tree, "manage.py", "remove", "catalog", fails=True)
        assert "orders calls catalog: remove orders, too, or its calls first." in refused
        assert (tree / "apps" / "catalog").is_dir()
