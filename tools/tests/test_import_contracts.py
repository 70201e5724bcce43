"""The import contracts of pyproject.toml, each broken once on purpose."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

# Two domains of the shape, of which the second calls the first.
DOMAINS = {
    "apps/one/public.py": "from apps.one import services",
    "apps/one/services.py": "from apps.one import repository",
    "apps/one/repository.py": "from apps.one import models",
    "apps/one/models.py": "",
    "apps/one/tests/factories.py": "from apps.one import models",
    "apps/two/public.py": "from apps.two import services",
    "apps/two/services.py": "from apps.one import public",
}
BROKEN = {
    "project imports apps, apps import protos, never the other way": ("apps/one/services.py", "import project.schema"),
    "inside a domain, imports go down only": ("apps/one/repository.py", "from apps.one import services"),
    "a domain knows of another only its public module": ("apps/two/services.py", "from apps.one import repository"),
    "no circles between domains": ("apps/one/services.py", "from apps.two import public"),
    "models are used by their repository and the admin, and by nobody else": (
        "apps/one/services.py",
        "from apps.one import models",
    ),
    "only tests import tests": ("apps/one/services.py", "from apps.one.tests import factories"),
}


@pytest.fixture(scope="module")
def tree(tmp_path_factory) -> Path:
    copy = tmp_path_factory.mktemp("tree")
    for name in ("apps", "project", "protos"):
        ignored = shutil.ignore_patterns("__pycache__", "static")
        shutil.copytree(settings.BASE_DIR / name, copy / name, ignore=ignored)
    for name, line in DOMAINS.items():
        file = copy / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.with_name("__init__.py").touch()
        file.write_text(f"{line}\n")
    shutil.copy(settings.BASE_DIR / "pyproject.toml", copy)
    return copy


def lint(folder: Path) -> str:
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False).stdout


def test_the_contracts_are_kept(tree):
    assert "0 broken." in lint(tree)


@pytest.mark.parametrize("contract", BROKEN)
def test_a_broken_contract_is_caught(tree, contract):
    name, line = BROKEN[contract]
    file = tree / name
    text = file.read_text()
    file.write_text(f"{text}\n{line}\n")
    try:
        assert f"{contract} BROKEN" in lint(tree)
    finally:
        file.write_text(text)
