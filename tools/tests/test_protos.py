"""What is made from the wire contracts is current, and a change that breaks released clients is found."""

import shutil

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from tools.management.commands import protos

CONTRACT = """\
syntax = "proto3";

package {name}.v1;

// What is sold.
service {Name}Service {{
  rpc Get{Name}(Get{Name}Request) returns (Get{Name}Response);
  rpc Count{Name}(Count{Name}Request) returns (Count{Name}Response);
}}

message Get{Name}Request {{
  int64 id = 1;
}}

message Get{Name}Response {{
  int64 id = 1;
  string text = 2;
  int32 stock = 3;
}}

message Count{Name}Request {{}}

message Count{Name}Response {{
  int64 count = 1;
}}
"""
DELETED = 'one/v1/one.proto: Previously present field "2" with name "text" on message "GetOneResponse" was deleted.'


@pytest.fixture
def contracts(tmp_path, monkeypatch):
    """The contracts of two domains, released as they are, that a test may change; nothing is accepted."""
    copy = tmp_path / "protos"
    for name in ("one", "two"):
        path = copy / name / "v1" / f"{name}.proto"
        path.parent.mkdir(parents=True)
        path.write_text(CONTRACT.format(name=name, Name=name.title()))
    shutil.copy(settings.BASE_DIR / "protos" / "buf.yaml", copy)
    (tmp_path / "accepted.md").write_text("None yet.\n")
    monkeypatch.setattr(protos, "PROTOS", copy)
    monkeypatch.setattr(protos, "RELEASED", tmp_path / "released.binpb")
    monkeypatch.setattr(protos, "ACCEPTED", tmp_path / "accepted.md")
    protos.describe(protos.RELEASED, comments=False)
    return copy


def change(contracts, old, new):
    path = contracts / "one" / "v1" / "one.proto"
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
    protos.lint()
    change(contracts, "string text = 2;", "string Text = 2;")

    with pytest.raises(CommandError, match="buf found the above"):
        protos.lint()
    assert 'Field name "Text" should be lower_snake_case' in capfd.readouterr().out


def test_new_fields_methods_and_comments_break_nobody(contracts):
    change(contracts, "// What is sold.", "// What was sold.")
    change(contracts, "  rpc GetOne(", "  rpc Extra(GetOneRequest) returns (GetOneResponse);\n  rpc GetOne(")
    change(contracts, "string text = 2;", "string text = 2;\n  string brand = 11;")

    assert protos.breaking() == []


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ("  string text = 2;\n", "", DELETED),
        (
            "int32 stock = 3",
            "int64 stock = 3",
            'one/v1/one.proto: Field "3" with name "stock" on message "GetOneResponse" changed type from "int32" to'
            ' "int64".',
        ),
        (
            "  rpc CountOne(CountOneRequest) returns (CountOneResponse);\n",
            "",
            'one/v1/one.proto: Previously present RPC "CountOne" on service "OneService" was deleted.',
        ),
    ],
)
def test_a_change_that_breaks_clients_is_found(contracts, old, new, found):
    change(contracts, old, new)

    assert protos.breaking() == [found]


def test_a_domain_that_is_gone_is_found(contracts):
    shutil.rmtree(contracts / "two")

    assert protos.breaking() == ['protos: Previously present file "two/v1/two.proto" was deleted.']


def test_where_all_domains_are_gone_nothing_is_left_to_make_or_to_find(contracts, tmp_path, monkeypatch):
    shutil.rmtree(contracts / "one")
    shutil.rmtree(contracts / "two")
    monkeypatch.setattr(settings, "BASE_DIR", tmp_path)

    call_command("protos")
    call_command("protos", "--lint")
    assert sorted(protos.breaking()) == [
        f'protos: Previously present file "{name}/v1/{name}.proto" was deleted.' for name in ("one", "two")
    ]
    call_command("protos", "--release")
    call_command("protos", "--breaking")


def test_the_command_refuses_a_break_until_its_reason_is_written_down(contracts, capsys):
    change(contracts, "  string text = 2;\n", "")

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
    change(contracts, "  string text = 2;\n", "")

    call_command("protos", "--release")

    assert protos.breaking() == []


def test_what_the_last_release_promised_is_kept():
    call_command("protos", "--breaking")
