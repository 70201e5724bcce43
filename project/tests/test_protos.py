"""What is made from the wire contracts is current, and a change that breaks released clients is found."""

import shutil

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from project.management.commands import protos

DELETED = (
    'catalog/v1/catalog.proto: Previously present field "4" with name "description" on message "Product" was deleted.'
)


@pytest.fixture
def contracts(tmp_path, monkeypatch):
    """A copy of the contracts, released as they are, that a test may change; nothing is accepted."""
    copy = tmp_path / "protos"
    shutil.copytree(settings.BASE_DIR / "protos", copy)
    (tmp_path / "accepted.md").write_text("None yet.\n")
    monkeypatch.setattr(protos, "PROTOS", copy)
    monkeypatch.setattr(protos, "RELEASED", tmp_path / "released.binpb")
    monkeypatch.setattr(protos, "ACCEPTED", tmp_path / "accepted.md")
    protos.describe(protos.RELEASED, comments=False)
    return copy


def change(contracts, old, new):
    path = contracts / "catalog" / "v1" / "catalog.proto"
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))


def test_the_generated_code_is_current(tmp_path):
    protos.generate(tmp_path)

    committed = settings.BASE_DIR / "protos"
    made = {path.relative_to(tmp_path / "protos"): path.read_text() for path in (tmp_path / "protos").glob("**/*_pb2*")}
    current = [*committed.glob("**/*_pb2*.py"), *committed.glob("**/*_pb2*.pyi")]
    assert made == {path.relative_to(committed): path.read_text() for path in current}


def test_the_contracts_are_written_as_buf_wants_them():
    protos.lint()


def test_bad_style_is_refused(contracts, capfd):
    change(contracts, "string description = 4;\n  google", "string Description = 4;\n  google")

    with pytest.raises(CommandError, match="buf found the above"):
        protos.lint()
    assert 'Field name "Description" should be lower_snake_case' in capfd.readouterr().out


def test_new_fields_methods_and_comments_break_nobody(contracts):
    change(
        contracts, "// NOT_FOUND when there is no such product.", "rpc Extra(GetProductRequest) returns (Product);\n//"
    )
    change(contracts, "int64 id = 1;\n  string sku = 2;", "int64 id = 1;\n  string sku = 2;\n  string brand = 11;")

    assert protos.breaking(protos.RELEASED) == []


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ("string description = 4;\n  google.type.Money price = 5", "google.type.Money price = 5", DELETED),
        (
            "int32 stock = 6",
            "int64 stock = 6",
            'catalog/v1/catalog.proto: Field "6" with name "stock" on message "Product" changed type from "int32" to'
            ' "int64".',
        ),
        (
            "  rpc CreateProduct(CreateProductRequest) returns (CreateProductResponse);\n",
            "",
            'catalog/v1/catalog.proto: Previously present RPC "CreateProduct" on service "CatalogService" was deleted.',
        ),
    ],
)
def test_a_change_that_breaks_clients_is_found(contracts, old, new, found):
    change(contracts, old, new)

    assert protos.breaking(protos.RELEASED) == [found]


def test_a_domain_that_is_gone_is_found(contracts):
    shutil.rmtree(contracts / "orders")

    assert protos.breaking(protos.RELEASED) == ['protos: Previously present file "orders/v1/orders.proto" was deleted.']


def test_the_command_refuses_a_break_until_its_reason_is_written_down(contracts, capsys):
    change(contracts, "string description = 4;\n  google.type.Money price = 5", "google.type.Money price = 5")

    with pytest.raises(CommandError, match="accept each in"):
        call_command("protos", "--breaking")
    assert capsys.readouterr().out == f"NEW  {DELETED}\n"

    protos.ACCEPTED.write_text(f"- `{DELETED}`: \n")
    with pytest.raises(CommandError, match="accept each in"):
        call_command("protos", "--breaking")

    protos.ACCEPTED.write_text(f"- `{DELETED}`: nobody ever read it\n")
    call_command("protos", "--breaking")
    assert "nothing new breaks clients" in capsys.readouterr().out


def test_a_release_takes_the_contracts_as_they_are(contracts):
    change(contracts, "string description = 4;\n  google.type.Money price = 5", "google.type.Money price = 5")

    call_command("protos", "--release")

    assert protos.breaking(protos.RELEASED) == []


def test_what_the_last_release_promised_is_kept():
    call_command("protos", "--breaking")
