"""Checks that no argument or input field can be null where the code behind it does not expect it."""

from collections.abc import Iterator
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from graphql import GraphQLSchema, Undefined, is_input_object_type, is_non_null_type


def check_nulls(schema: GraphQLSchema) -> None:
    """Refuse arguments and input fields that have a default, but may be null.

    GraphQL applies a default only where a value is left out: an explicit null replaces it, and resolvers written for
    the default fail. With a non-null type (`search: String! = ""`) a value may still be left out, and null is answered
    with BAD_USER_INPUT. Raises ImproperlyConfigured naming all of them.
    """
    wrong = [
        name
        for name, given in _inputs(schema)
        if given.default_value not in (None, Undefined) and not is_non_null_type(given.type)
    ]
    if wrong:
        raise ImproperlyConfigured(
            f"{', '.join(sorted(wrong))}: null would replace the default. Declare required=True beside default_value:"
            " the value may still be left out, and null is refused."
        )


def _inputs(schema: GraphQLSchema) -> Iterator[tuple[str, Any]]:
    for type_name, type_ in schema.type_map.items():
        if type_name.startswith("__"):
            continue
        for field_name, field in getattr(type_, "fields", {}).items():
            if is_input_object_type(type_):
                yield f"{type_name}.{field_name}", field
            for argument_name, argument in getattr(field, "args", {}).items():
                yield f"{type_name}.{field_name}({argument_name})", argument
