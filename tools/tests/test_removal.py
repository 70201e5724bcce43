"""A domain that is not wanted is deleted: its folder, its contract, and its name in the default of DOMAINS.

Here what is left is imported whole and tested in part, for the sake of time; `.ci/removal` does the rest.
"""

import os
import shutil
import subprocess
import sys

import pytest

from project.env import BASE_DIR, Env
from tools.new.generate import WRITE_ACCESS

SHIPPED = Env.model_fields["domains"].default
LEFT_OUT = shutil.ignore_patterns(".git", ".venv", "var", "node_modules", "__pycache__", ".*_cache")
# Written anew, as after any change of settings or schema; the contracts of what is left are a release.
REGENERATE = """
import django
django.setup()
from django.core.management import call_command
call_command("settings_docs")
call_command("schema_check", write=True)
call_command("protos", release=True)
"""
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
    "tools/tests/test_protos.py",
]


def removals() -> list[tuple[str, ...]]:
    """The last domain, the last two, ...: each calls only those before it."""
    return [SHIPPED[-number:] for number in range(1, len(SHIPPED) + 1)]


@pytest.fixture
def tree(tmp_path):
    return shutil.copytree(BASE_DIR, tmp_path / "tree", ignore=LEFT_OUT)


def remove(tree, domains):
    """The steps of docs/architecture.md."""
    for domain in domains:
        shutil.rmtree(tree / "apps" / domain)
        shutil.rmtree(tree / "protos" / domain)
    settings = tree / "project" / "env.py"
    kept = tuple(domain for domain in SHIPPED if domain not in domains)
    text = settings.read_text()
    assert text.count(named(SHIPPED)) == 1
    settings.write_text(text.replace(named(SHIPPED), named(kept)))
    run(tree, "-c", REGENERATE)
    run(tree, *WRITE_ACCESS)


def named(domains):
    """As the source says it."""
    return f"        {domains!r},\n".replace("'", '"')


def run(tree, *command):
    """Run it in the tree; show what it says when it fails."""
    environ = os.environ | {"DEBUG": "1", "DATA_DIR": str(tree / "var"), "DJANGO_SETTINGS_MODULE": "project.settings"}
    for variable in ("DOMAINS", "DATABASE_URL", *(f"{domain.upper()}_URL" for domain in SHIPPED)):
        environ.pop(variable, None)
    done = subprocess.run(
        [sys.executable, *command], cwd=tree, env=environ, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert done.returncode == 0, done.stdout[-5000:]
    return done.stdout


@pytest.mark.parametrize("domains", removals(), ids="+".join)
def test_without_a_domain_the_rest_is_whole(tree, domains):
    remove(tree, domains)

    assert "0 broken" in run(tree, "-c", CHECK)
    run(tree, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--collect-only")
    assert " passed" in run(tree, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *PART)
    schema, left = (tree / "project" / "schema.graphql").read_text(), set(SHIPPED) - set(domains)
    assert ("placeOrder" in schema, "products" in schema) == ("orders" in left, "catalog" in left)
