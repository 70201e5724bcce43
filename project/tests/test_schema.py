"""The contract with the single-page apps: what there is, and what a list costs."""

import re
from collections.abc import Iterator

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from graphql import (
    GraphQLObjectType,
    get_named_type,
    is_list_type,
    is_object_type,
    is_scalar_type,
)
from graphql.type import get_nullable_type

from apps.accounts.tests.factories import UserFactory
from framework import discovery
from project.schema import schema

TYPES = schema.graphql_schema.type_map
QUERY = schema.graphql_schema.query_type

DOMAINS = list(discovery.modules("tests.access_matrix"))


LISTS = {name: fill for module in DOMAINS for name, fill in getattr(module, "LISTS", {}).items()}
UNPAGED = set().union(*(getattr(module, "UNPAGED", ()) for module in DOMAINS))  # bounded by a rule of the domain


def own_types() -> Iterator[GraphQLObjectType]:
    return (kind for name, kind in TYPES.items() if is_object_type(kind) and not name.startswith("__"))


def test_every_id_is_an_id():
    wrong = [
        f"{kind.name}.{name}"
        for kind in own_types()
        for name, field in kind.fields.items()
        if re.search(r"(^id|Id|Ids)$", name) and get_named_type(field.type).name != "ID"
    ]
    wrong += [
        f"{kind.name}.{name}({argument})"
        for kind in own_types()
        for name, field in kind.fields.items()
        for argument, given in field.args.items()
        if re.search(r"(^id|Id|Ids)$", argument) and get_named_type(given.type).name != "ID"
    ]

    assert wrong == []


def test_a_deprecation_carries_a_reason_and_the_date_of_removal():
    reasons = {
        f"{kind.name}.{name}": field.deprecation_reason
        for kind in own_types()
        for name, field in kind.fields.items()
        if field.deprecation_reason is not None
    }

    assert [name for name, why in reasons.items() if not re.search(r"\w.* 20\d\d-\d\d-\d\d", why)] == []


def selection(kind: GraphQLObjectType, depth: int = 4) -> str:
    """Every field of a type, with what is inside, as far as it goes."""
    parts = []
    for name, field in kind.fields.items():
        inner = get_named_type(field.type)
        if is_object_type(inner):
            below = selection(inner, depth - 1) if depth else ""
            parts += [f"{name} {below}"] if below else []
        elif not any(argument.default_value is None for argument in field.args.values()):
            parts.append(name)
    return "{ " + " ".join(parts) + " }" if parts else ""


def paged_fields() -> list[str]:
    return [name for name, field in QUERY.fields.items() if "first" in field.args]


def test_a_paged_list_is_filled_by_its_domains_tests():
    assert set(paged_fields()) == LISTS.keys()


@pytest.mark.django_db
@pytest.mark.parametrize("name", paged_fields())
def test_a_list_takes_as_many_queries_for_2_as_for_50(graphql, name):
    user = UserFactory()
    LISTS[name](user, 60)
    client = graphql().login(user)
    counts = {}
    for size in (2, 50):
        query = f"{{ {name}(first: {size}) {selection(get_named_type(QUERY.fields[name].type))} }}"
        with CaptureQueriesContext(connection) as queries:
            assert len(client.data(query)[name]["edges"]) == size
        counts[size] = len(queries)

    assert counts[2] == counts[50]


def test_every_list_of_objects_is_paged_or_inside_of_a_page():
    unpaged = [
        f"{kind.name}.{name}"
        for kind in own_types()
        for name, field in kind.fields.items()
        if is_list_type(get_nullable_type(field.type))
        and not is_scalar_type(get_named_type(field.type))
        and not (kind.name.endswith("Connection") and name == "edges")
    ]

    assert set(unpaged) == UNPAGED
