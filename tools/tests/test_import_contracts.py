"""The import contracts of pyproject.toml, each broken once on purpose."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from textwrap import dedent

import pytest
from django.conf import settings

CONFIGURATION = tomllib.loads((settings.BASE_DIR / "pyproject.toml").read_text())["tool"]["importlinter"]
WORKSHOP = "the workshop > project > apps > framework, protos"
FRAMEWORK = "inside the framework, imports go down only, and it has no other rooms"
DOMAIN = "inside a domain, imports go down only, and it has no other modules"
PUBLIC = "a domain knows of another only its public module"
CIRCLES = "no circles between domains"
MODELS = "models are used by their repository and the admin, no other product code"
TESTS = "only tests and the workshop import tests"

# A small project of the same folders, with two domains, of which the second calls the first.
TREE = {
    "project/schema.py": "from apps.one import schema",
    "protos/one/v1/one_pb2.py": "",
    "tools/split.py": "from project import schema",
    "benchmarks/load.py": "from project import schema",
    "deploy/plan.py": "",
    "deploy/tests/test_plan.py": "from apps.one import models",
    "tools/tests/test_split.py": "from tools import split",
    "apps/one/public.py": "from apps.one import services",
    "apps/one/services.py": "from apps.one import repository",
    "apps/one/repository.py": "from apps.one import models",
    "apps/one/models.py": "",
    "apps/one/fake.py": "from apps.one import public",
    "apps/one/schema.py": "from framework.graphql import view",
    "apps/one/tests/factories.py": "from apps.one import models",
    "apps/two/public.py": "from apps.two import services",
    "apps/two/services.py": "from apps.one import public",
    "framework/graphql/view.py": "from framework.context import call",
    "framework/graphql/tests/test_view.py": "from framework.web import middleware",
    "framework/web/middleware.py": "from framework.context import call",
    "framework/web/tests/test_web.py": "from framework.graphql import view",
    "framework/context/call.py": "from framework import errors",
    "framework/errors.py": "",
}
BROKEN = [
    (WORKSHOP, "apps/one/services.py", "from project import schema"),
    (WORKSHOP, "apps/one/services.py", "from tools import split"),
    (WORKSHOP, "apps/one/tests/factories.py", "from tools import split"),
    (WORKSHOP, "apps/one/tests/factories.py", "from benchmarks import load"),
    (WORKSHOP, "apps/one/tests/factories.py", "from deploy import plan"),
    (WORKSHOP, "project/schema.py", "from tools import split"),
    (WORKSHOP, "benchmarks/load.py", "from tools import split"),
    (WORKSHOP, "framework/graphql/view.py", "from project import schema"),
    (WORKSHOP, "framework/graphql/view.py", "from apps.one import schema"),
    (WORKSHOP, "framework/graphql/tests/test_view.py", "from apps.one import schema"),
    (WORKSHOP, "framework/graphql/view.py", "from protos.one.v1 import one_pb2"),
    (FRAMEWORK, "framework/context/call.py", "from framework.graphql import view"),
    (FRAMEWORK, "framework/web/middleware.py", "from framework.graphql import view"),
    (FRAMEWORK, "framework/utils.py", ""),
    (DOMAIN, "apps/one/repository.py", "from apps.one import services"),
    (DOMAIN, "apps/one/public.py", "from apps.one import fake"),
    (DOMAIN, "apps/one/utils.py", ""),
    (PUBLIC, "apps/two/services.py", "from apps.one import repository"),
    (CIRCLES, "apps/one/services.py", "from apps.two import public"),
    (MODELS, "apps/one/services.py", "from apps.one import models"),
    (TESTS, "apps/one/services.py", "from apps.one.tests import factories"),
    (TESTS, "framework/web/middleware.py", "from framework.graphql.tests import test_view"),
]

# Those of folders that are here: a product may have removed one.
ROOTS = set(CONFIGURATION["root_packages"])
KEPT = [row for row in BROKEN if {row[1].split("/")[0], *re.findall(r"from (\w+)", row[2])} <= ROOTS]


def write(tree: Path, name: str, text: str) -> None:
    path = tree / name
    path.parent.mkdir(parents=True, exist_ok=True)
    for folder in [path.parent, *path.parent.parents]:
        if folder.is_relative_to(tree) and folder != tree:
            (folder / "__init__.py").touch()
    path.write_text(text)


@pytest.fixture
def tree(tmp_path) -> Path:
    rooms = [name.strip() for line in _layers(FRAMEWORK) for name in line.split(":") if "(" not in name]
    for name in rooms:
        write(tmp_path, f"framework/{name}.py" if name in ("errors", "apps") else f"framework/{name}/__init__.py", "")
    for name, text in TREE.items():
        write(tmp_path, name, text)
    shutil.copy(settings.BASE_DIR / "pyproject.toml", tmp_path)
    return tmp_path


def _layers(name: str) -> list[str]:
    return next(contract["layers"] for contract in CONFIGURATION["contracts"] if contract["name"] == name)


def lint(folder: Path) -> str:
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert "Contracts:" in done.stdout, done.stdout + done.stderr
    return done.stdout


def test_this_project_keeps_the_contracts():
    assert "0 broken." in lint(settings.BASE_DIR)


def test_every_package_is_under_the_contracts():
    packages = {path.parent.name for path in settings.BASE_DIR.glob("*/__init__.py")}

    assert packages <= set(CONFIGURATION["root_packages"])


def test_the_small_project_keeps_the_contracts(tree):
    assert "0 broken." in lint(tree)


@pytest.mark.parametrize(("contract", "name", "line"), KEPT, ids=[f"{b} in {a}" for _, a, b in KEPT])
def test_a_broken_contract_is_caught(tree, contract, name, line):
    write(tree, name, dedent(f"{TREE.get(name, '')}\n{line}\n"))

    assert f"{contract} BROKEN" in lint(tree)


def test_every_contract_is_broken_once():
    assert {contract["name"] for contract in CONFIGURATION["contracts"]} == {contract for contract, _, _ in BROKEN}
