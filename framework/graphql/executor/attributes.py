"""Reading plain attributes off whatever resolvers return: named tuples in one go, all else field by field."""

from collections.abc import Callable, Mapping
from functools import cache, partial
from operator import attrgetter
from typing import Any

from graphene.types.resolver import dict_or_attr_resolver
from graphql import GraphQLField, GraphQLResolveInfo

MAX_CLASSES = 64

_field_descriptor = type(GraphQLResolveInfo.__dict__["field_name"])


class Getters(dict[type, Callable[[Any], Any] | None]):
    """For each class of sources the function that reads all plain fields; None where reading could run code."""

    __slots__ = ("_getter", "_names")

    def __init__(self, names: tuple[str, ...]) -> None:
        self._names = names
        self._getter: Callable[[Any], Any] = attrgetter(*names) if names else lambda _source: ()

    def __missing__(self, class_: type) -> Callable[[Any], Any] | None:
        getter = self._getter if is_plain_row(class_, self._names) else None
        if len(self) < MAX_CLASSES:
            self[class_] = getter
        return getter


def is_plain_row(class_: type, names: tuple[str, ...]) -> bool:
    """Whether it is a named tuple class, and reading these names off an instance runs no code of its own."""
    return (
        issubclass(class_, tuple)
        and class_.__getattribute__ is tuple.__getattribute__
        and all(type(_static_attribute(class_, name)) is _field_descriptor for name in names)
    )


def _static_attribute(class_: type, name: str) -> Any:
    return next((base.__dict__[name] for base in class_.__mro__ if name in base.__dict__), None)


def reader(field: GraphQLField, name: str) -> tuple[str, Callable[[Any], Any] | None]:
    """The attribute that a default resolver reads, and a function that reads it; None for other resolvers.

    The function returns an exception instead of raising it: completing the value raises it.
    """
    resolve = field.resolve
    if field.args:
        return "", None
    if resolve is None:
        return name, _core_reader(name)
    if type(resolve) is partial and resolve.func is dict_or_attr_resolver and not resolve.keywords:
        attribute, default = resolve.args
        shared = default is None
        return attribute, _graphene_reader(attribute) if shared else partial(_read_as_graphene, attribute, default)
    return "", None


@cache  # names of the schema's fields, shared by all documents
def _core_reader(name: str) -> Callable[[Any], Any]:
    return partial(_read_as_core, name)


@cache
def _graphene_reader(attribute: str) -> Callable[[Any], Any]:
    return partial(_read_as_graphene, attribute, None)


def _read_as_core(name: str, source: Any) -> Any:
    try:
        return source.get(name) if isinstance(source, Mapping) else getattr(source, name, None)
    except Exception as error:
        return error


def _read_as_graphene(attribute: str, default: Any, source: Any) -> Any:
    try:
        if isinstance(source, dict):
            return source.get(attribute, default)
        return getattr(source, attribute, default)
    except Exception as error:
        return error
