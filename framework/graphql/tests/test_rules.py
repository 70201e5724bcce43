"""Rules of fields: `@allow` is enforced wherever it stands, or the schema does not start."""

from importlib import import_module
from types import SimpleNamespace

import graphene
import pytest
from django.core.exceptions import ImproperlyConfigured
from graphql import parse

from framework import discovery
from framework.actor import NOBODY, Actor, allow, anyone, staff
from framework.errors import PermissionDenied, Unauthenticated
from framework.graphql.executor import Plans, execute
from framework.graphql.loaders import Loaders
from framework.graphql.schema import enforce_rules, join

STAFF = Actor(user_id=1, is_staff=True)
reached = []


def secrets_of(keys):
    reached.extend(keys)
    return {key: f"secret {key}" for key in keys}


class Item(graphene.ObjectType):
    name = graphene.String()
    secret = graphene.String()
    loaded = graphene.String()

    @allow(staff)
    def resolve_secret(root, info):
        reached.append(root["name"])
        return "secret"

    @allow(staff)
    def resolve_loaded(root, info):
        return info.context.loaders.load(secrets_of, root["name"])


class Query(graphene.ObjectType):
    items = graphene.List(Item)
    item = graphene.Field(Item)

    @allow(anyone)
    def resolve_items(root, info):
        return [{"name": name} for name in "abcde"]

    @allow(staff)
    def resolve_item(root, info):
        return {"name": "a"}


@pytest.fixture
def schema():
    made = graphene.Schema(query=Query).graphql_schema
    enforce_rules(made)
    reached.clear()
    return made


@pytest.fixture(params=["compiled", "interpreted"])
def ask(request, schema):
    def ask(query, actor):
        document, plans = parse(query), Plans()
        if request.param == "compiled":
            plans.of_operation(document, None, {})  # the first use, which is interpreted
        return execute(schema, document, plans=plans, context=SimpleNamespace(actor=actor, loaders=Loaders()))

    return ask


@pytest.mark.parametrize("field", ["secret", "loaded"])
def test_the_rule_of_a_nested_field_is_enforced(ask, field):
    refused = ask(f"{{ items {{ name {field} }} }}", NOBODY)

    assert refused.data["items"][4] == {"name": "e", field: None}
    assert [type(error.original_error) for error in refused.errors] == [Unauthenticated] * 5
    assert reached == []
    assert ask(f"{{ items {{ {field} }} }}", STAFF).errors is None
    assert sorted(reached) == list("abcde")


def test_the_rule_of_a_root_field_is_enforced(ask):
    (error,) = ask("{ item { name } }", Actor(user_id=2)).errors

    assert type(error.original_error) is PermissionDenied
    assert ask("{ item { name } }", STAFF).data == {"item": {"name": "a"}}


def test_a_root_field_without_a_rule_refuses_to_start():
    class Open(graphene.ObjectType):
        class Meta:
            name = "Query"

        gone = graphene.String(resolver=lambda *_: "reached")

    with pytest.raises(ImproperlyConfigured, match=r"Query\.gone does not declare who may use it"):
        enforce_rules(graphene.Schema(query=Open).graphql_schema)


def test_a_rule_that_nobody_would_ask_refuses_to_start():
    class Lost(graphene.ObjectType):
        name = graphene.String()

        @allow(staff)
        def resolve_nmae(root, info):
            return "reached"

    class Root(graphene.ObjectType):
        class Meta:
            name = "Query"

        lost = graphene.Field(Lost, resolver=allow(anyone)(lambda *_: {}))

    with pytest.raises(ImproperlyConfigured, match=r"Lost\.resolve_nmae carries @allow\(\.\.\.\), but it resolves no"):
        enforce_rules(graphene.Schema(query=Root).graphql_schema)


def test_domains_without_mutations_make_a_schema_that_only_answers_queries(monkeypatch):
    domain = SimpleNamespace(__name__="apps.one.schema", Query=Query)
    monkeypatch.setattr(discovery, "modules", lambda name, *, remote: [domain] if name == "schema" else [])

    schema = join().graphql_schema

    assert schema.mutation_type is None
    assert schema.query_type.fields.keys() == {"items", "item"}


def test_a_mutation_that_does_not_declare_its_reasons_refuses_to_start_and_another_names_them(monkeypatch):
    class Add(graphene.Mutation):
        """Adds one."""

        ok = graphene.Boolean()

        mutate = allow(anyone)(lambda *_: None)

    class Mutation(graphene.ObjectType):
        add_item = Add.Field()

    rules = SimpleNamespace(__name__="apps.one.rules", REASONS={})
    schema = SimpleNamespace(__name__="apps.one.schema", Query=Query, Mutation=Mutation)
    monkeypatch.setattr(discovery, "modules", lambda name, *, remote: [schema if name == "schema" else rules])
    with pytest.raises(ImproperlyConfigured, match=r'put "add_item": \(.*\) into REASONS of apps\.one\.rules'):
        join()

    rules.REASONS = {"add_item": ("ITEM_TAKEN",)}
    joined = join().graphql_schema
    assert joined.mutation_type.fields["addItem"].description == "Adds one.\nReasons: ITEM_TAKEN."
    assert joined.type_map["ErrorReason"].values["ITEM_TAKEN"].description == "addItem"


def test_a_root_field_that_hides_an_import_refuses_to_start_with_the_line(tmp_path, monkeypatch):
    (tmp_path / "hiding.py").write_text(
        "import graphene\nfrom framework.tests.library import public as books\n\n\n"
        "class Query(graphene.ObjectType):\n    books = graphene.String()\n\n"
        "    def resolve_books(root, info) -> books.Book: ...\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(discovery, "modules", lambda name, *, remote: [import_module("hiding")])

    with pytest.raises(ImproperlyConfigured, match=r"hiding\.py:8: here 'Book' is looked up in a field, which hides"):
        join()


def test_any_other_attribute_that_is_missing_is_the_modules_own_error(monkeypatch):
    monkeypatch.setattr(discovery, "modules", lambda name, *, remote: [discovery.nothing])

    with pytest.raises(AttributeError, match="nothing"):
        join()
