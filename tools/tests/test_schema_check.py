"""The snapshot of the schema, and what counts as a change that breaks clients."""

import pytest
from django.core.management import CommandError, call_command
from graphql import build_schema

from tools import accepted
from tools.management.commands import schema_check


def test_the_committed_schema_is_current():
    assert schema_check.SNAPSHOT.read_text() == schema_check.text(), "run: ./run manage schema_check --write"


def test_a_breaking_change_is_named_and_an_added_field_is_none():
    old = build_schema("type Query { a: Int, b: Int }")

    assert schema_check.changes(old, build_schema("type Query { a: Int, b: Int, c: Int }")) == []
    assert schema_check.changes(old, build_schema("type Query { a: String, c: Int }")) == [
        "FIELD_REMOVED: Query.b was removed.",
        "FIELD_CHANGED_KIND: Query.a changed type from Int to String.",
    ]


def test_a_breaking_change_is_accepted_with_a_reason_only(tmp_path):
    document = tmp_path / "changes.md"
    document.write_text("- `FIELD_REMOVED: Query.b was removed.`: nobody used it\n- `other`:\n")

    assert accepted.changes(document) == {"FIELD_REMOVED: Query.b was removed."}


def test_a_breaking_change_without_a_reason_fails_the_check(monkeypatch, capsys):
    monkeypatch.setattr(schema_check, "_at", lambda _: "type Query { gone: Int }")
    with pytest.raises(CommandError, match="Clients of v1 may break"):
        call_command("schema_check", against="v1")

    assert "NEW  FIELD_REMOVED: Query.gone was removed." in capsys.readouterr().out


def test_the_schema_compared_with_itself_has_no_changes(monkeypatch, capsys):
    monkeypatch.setattr(schema_check, "_at", lambda _: schema_check.text())
    call_command("schema_check", against="v1")

    assert capsys.readouterr().out == "Nothing new breaks clients of v1.\n"
