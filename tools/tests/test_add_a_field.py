"""The steps of docs/add-a-field.md, performed on a copy; and each left out, which is refused by the field's name."""

import os
import shutil
import subprocess
import sys
from typing import NamedTuple

import pytest

from project.env import BASE_DIR

pytest.importorskip("apps.catalog", reason="the page is about the example")
pytestmark = pytest.mark.timeout(240)

LEFT_OUT = shutil.ignore_patterns(".git", ".venv", "var", "node_modules", "__pycache__", ".*_cache")
PAGE = (BASE_DIR / "docs" / "add-a-field.md").read_text()


class Edit(NamedTuple):
    """A line that is added in front of another."""

    file: str
    line: str
    before: str


EDITS = {
    "model": Edit(
        "apps/catalog/models.py",
        'brand = models.CharField(max_length=100, blank=True, default="", db_default="", validators=TEXT)',
        "    # A TextField's own max_length binds forms only.\n",
    ),
    "entity": Edit("apps/catalog/entities.py", "brand: str", "\n\nclass ProductDraft("),
    "draft": Edit("apps/catalog/entities.py", 'brand: str = ""', "\n\nclass ProductChanges("),
    "changes": Edit("apps/catalog/entities.py", "brand: str | Unset = UNSET", "\n\nclass ProductOrder("),
    "message": Edit("protos/catalog/v1/catalog.proto", "string brand = 11;", "}\n\nenum ProductOrder"),
    "demo": Edit("apps/catalog/demo.py", 'brand=f"{material} & Sons",', "            stock=number"),
    "test": Edit("apps/catalog/tests/test_contract.py", 'brand="",', "    )\n\n\ndef test_a_product_that_does"),
}
GENERATE = """
import django; django.setup()
from django.core.management import call_command
call_command("makemigrations", "catalog")
call_command("protos")
call_command("schema_check", write=True)
"""
START = """
import django; django.setup()
from importlib import import_module
from django.core.management import call_command
call_command("check")
import_module("apps.catalog.rpc")
"""
DOORS = """
import io
from decimal import Decimal
import pytest
from django.urls import reverse
from apps.accounts.tests.factories import StaffFactory
from apps.catalog import demo, imports, repository
from apps.catalog.entities import ProductChanges, ProductDraft
from framework.actor import SYSTEM
from framework.testing.seam import WAYS, via

@pytest.mark.django_db
@pytest.mark.parametrize("way", WAYS)
def test_brand_is_at_all_doors(way, graphql, client):
    with via("apps.catalog", way) as catalog:
        made = catalog.create_product(SYSTEM, ProductDraft("A-1", "Chair", Decimal(1), brand="ACME"))
        assert (made.brand, catalog.get_product(made.id).brand) == ("ACME", "ACME")
        assert catalog.update_product(SYSTEM, made.id, 1, ProductChanges(brand="Else")).brand == "Else"
    staff = StaffFactory(is_superuser=True)
    mutation = "mutation { updateProduct(id: %s, version: 2, input: {brand: \\"New\\"}) { product { brand } } }"
    answer = graphql().login(staff).data(mutation % made.id)
    assert answer == {"updateProduct": {"product": {"brand": "New"}}}
    client.force_login(staff)
    page = client.get(reverse("admin:catalog_product_change", args=[made.id]))
    assert page.context["adminform"].form["brand"].value() == "New"
    (row,) = imports.CsvRows(imports.Lines(io.BytesIO(b"sku,name,price,brand\\nB,C,1,Imported")))
    assert row.draft.brand == "Imported"
    demo.load()
    assert repository.list_products(search="Oak Chair").items[0].brand == "Oak & Sons"
"""


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A copy with the field."""
    copy = shutil.copytree(BASE_DIR, tmp_path_factory.mktemp("field") / "tree", ignore=LEFT_OUT)
    for edit in EDITS.values():
        replace(copy / edit.file, edit.before, added(edit))
    run(copy, "-c", GENERATE)
    return copy


def added(edit: Edit) -> str:
    """The line, indented as what is around it, and the one that it stands in front of."""
    if edit.before.startswith("\n"):
        return f"    {edit.line}\n{edit.before}"
    indent = {"demo": 12, "test_contract": 8, "catalog": 2}.get(edit.file.rpartition("/")[2].partition(".")[0], 4)
    return f"{' ' * indent}{edit.line}\n{edit.before}"


def replace(path, old, new):
    text = path.read_text()
    assert text.count(old) == 1, f"{path} has {old!r} {text.count(old)} times"
    path.write_text(text.replace(old, new))


def run(tree, *words, fails=False):
    """What the program says, run in the tree."""
    environ = os.environ | {"DEBUG": "1", "DATA_DIR": str(tree / "var"), "DJANGO_SETTINGS_MODULE": "project.settings"}
    for variable in ("DOMAINS", "DATABASE_URL", "PYTEST_ADDOPTS"):
        environ.pop(variable, None)
    command = [sys.executable, *words]
    done = subprocess.run(command, cwd=tree, env=environ, text=True, capture_output=True, check=False)
    assert (done.returncode != 0) is fails, (done.stdout + done.stderr)[-5000:]
    return done.stdout + done.stderr


@pytest.fixture
def without(tree):
    """Takes an edit back; the test's end makes it again."""
    taken = []

    def take(name):
        taken.append(EDITS[name])
        replace(tree / EDITS[name].file, added(EDITS[name]), EDITS[name].before)

    yield take
    for edit in taken:
        replace(tree / edit.file, edit.before, added(edit))


def test_the_page_has_these_steps_and_they_are_few():
    indented = [line.strip() for line in PAGE.splitlines() if line.startswith("       ")]

    assert indented == [edit.line for edit in EDITS.values()]
    assert len(EDITS) <= 9
    assert len({edit.file for edit in EDITS.values()}) <= 6
    assert all(f"`{edit.file}`" in PAGE for edit in EDITS.values())


def test_a_field_that_is_added_so_is_at_all_doors_and_nothing_is_left_to_do(tree):
    (tree / "apps/catalog/tests/test_brand.py").write_text(DOORS)
    contract = "apps/catalog/tests/test_contract.py::test_a_product"
    tests = ("apps/catalog/tests/test_brand.py", contract, "project/tests/test_fields.py")

    assert " passed" in run(tree, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests)
    run(tree, "-c", START)


@pytest.mark.parametrize(
    ("name", "refusal"),
    [
        ("model", "Cannot resolve keyword 'brand' into field."),
        ("draft", "the form has 'brand', which ProductDraft of create_product lacks: add it in"),
        ("changes", "the form has 'brand', which ProductChanges of update_product lacks: add it in"),
        ("entity", "'brand'"),
    ],
)
def test_what_is_forgotten_does_not_start(tree, without, name, refusal):
    without(name)

    assert refusal in run(tree, "-c", START, fails=True).splitlines()[-1]


def test_a_field_that_the_contract_lacks_does_not_start(tree, without, tmp_path):
    kept = shutil.copytree(tree / "protos", tmp_path / "protos")
    without("message")
    generate = START.replace('call_command("check")', 'call_command("protos")')
    said = run(tree, "-c", generate, fails=True)
    shutil.copytree(kept, tree / "protos", dirs_exist_ok=True)
    replace(tree / EDITS["message"].file, added(EDITS["message"]), EDITS["message"].before)

    assert "'brand'" in said.splitlines()[-1]


def test_demo_data_and_a_contract_test_without_the_field_fail(tree, without):
    without("demo")
    without("test")
    tests = ("project/tests/test_fields.py", "apps/catalog/tests/test_contract.py::test_a_product")
    said = run(tree, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests, fails=True)

    assert "demo Product.brand" in said
    assert "missing 1 required positional argument: 'brand'" in said


def test_contracts_are_generated_while_the_schema_is_broken(tree):
    schema = tree / "apps" / "catalog" / "schema.py"
    text = schema.read_text()
    schema.write_text(f"{text}\nraise RuntimeError\n")
    try:
        assert "protos: current" in run(tree, "manage.py", "protos")
    finally:
        schema.write_text(text)


def test_a_migration_that_was_not_made_is_named(tree):
    (migration,) = (tree / "apps/catalog/migrations").glob("*brand*.py")
    migration.unlink()

    assert "Add field brand to product" in run(tree, "manage.py", "makemigrations", "--check", "--dry-run", fails=True)
