"""Every argument of every field, given values that are none of its type, is the client's error at most."""

from collections.abc import Iterator
from typing import Any

import pytest
from graphql import (
    GraphQLArgument,
    GraphQLField,
    GraphQLObjectType,
    get_named_type,
    get_nullable_type,
    is_enum_type,
    is_input_object_type,
    is_leaf_type,
    is_list_type,
    is_required_argument,
    is_required_input_field,
)

from apps.accounts.tests.factories import StaffFactory
from project.schema import schema

SCHEMA = schema.graphql_schema
ODDITIES: tuple[Any, ...] = (
    None, 0, -1, 1.0, 500.0, 1.5, 1e300, 2**40, 2**63 - 1, True, "", "x", "-0", "NaN", "RED", [], [None], {}
)  # fmt: skip


def sample(type_: Any) -> Any:
    """A value that the type accepts: the smallest."""
    type_ = get_nullable_type(type_)
    if is_list_type(type_):
        return [sample(type_.of_type)]
    if is_enum_type(type_):
        return next(iter(type_.values))
    if is_input_object_type(type_):
        return {name: sample(field.type) for name, field in type_.fields.items() if is_required_input_field(field)}
    return {"Int": 1, "Float": 1.5, "Boolean": True, "DateTime": "2024-02-29T00:00:00Z"}.get(type_.name, "1")


def variants(type_: Any) -> Iterator[Any]:
    """Odd values for the type as a whole, and for each field of an input object and each item of a list."""
    yield from ODDITIES
    type_ = get_nullable_type(type_)
    if is_enum_type(type_):
        yield from type_.values
    if is_list_type(type_):
        yield from ([value] for value in variants(type_.of_type))
    if is_input_object_type(type_):
        for name, field in type_.fields.items():
            yield from (sample(type_) | {name: value} for value in variants(field.type))


def fields_with_arguments() -> dict[str, tuple[GraphQLObjectType, str, GraphQLField]]:
    roots = filter(None, (SCHEMA.query_type, SCHEMA.mutation_type))
    return {
        f"{root.name}.{name}": (root, name, field)
        for root in roots
        for name, field in root.fields.items()
        if field.args
    }


ARGUED = fields_with_arguments()


def document(root: GraphQLObjectType, name: str, field: GraphQLField) -> str:
    """An operation that takes each argument by a variable of its type."""
    kind = "mutation" if root is SCHEMA.mutation_type else "query"
    declared = ", ".join(f"${argument}: {nullable(given)}" for argument, given in field.args.items())
    passed = ", ".join(f"{argument}: ${argument}" for argument in field.args)
    inside = "" if is_leaf_type(get_named_type(field.type)) else "{ __typename }"
    return f"{kind} ({declared}) {{ {name}({passed}) {inside} }}"


def nullable(given: GraphQLArgument) -> str:
    """With a default a variable may be of the nullable type, so that null reaches the argument itself."""
    return str(given.type if is_required_argument(given) else get_nullable_type(given.type))


@pytest.mark.django_db
@pytest.mark.parametrize("name", ARGUED)
def test_no_value_of_an_argument_is_an_error_of_ours(graphql, name, settings):
    settings.GRAPHQL_RATE = 0
    root, field_name, field = ARGUED[name]
    client = graphql().login(StaffFactory())
    text = document(root, field_name, field)
    usual = {key: sample(given.type) for key, given in field.args.items() if is_required_argument(given)}
    assert masked(client, text, [usual]) == []
    tried = [usual | {key: value} for key, given in field.args.items() for value in variants(given.type)]

    assert masked(client, text, tried) == []


def masked(client: Any, text: str, tried: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The variables that are answered with INTERNAL_SERVER_ERROR."""
    return [variables for variables in tried if "INTERNAL_SERVER_ERROR" in codes(client(text, **variables))]


def codes(answer: dict[str, Any]) -> set[str]:
    return {error["extensions"]["code"] for error in answer.get("errors", ())}


@pytest.mark.django_db
@pytest.mark.parametrize("name", [name for name, (*_, field) in ARGUED.items() if "first" in field.args])
@pytest.mark.parametrize("size", [500, 500.0, 101.0, None])
def test_no_notation_of_a_page_size_passes_the_limit(graphql, name, size):
    root, field_name, field = ARGUED[name]
    answer = graphql().login(StaffFactory())(document(root, field_name, field), first=size)

    assert codes(answer) == {"BAD_USER_INPUT"}
