"""GraphQL types and inputs derived from entities, as graphene-django derives them from models.

    class Product(EntityType):
        class Meta:
            entity = catalog.Product
            exclude = {"cost": "only staff may know it, in the admin"}
            descriptions = {"price": "In units of the currency, as text: exact."}

    class CreateProductInput(EntityInput):
        class Meta:
            entity = catalog.ProductDraft

A field that the class declares itself takes the place of the derived one. Ids (`id`, `..._id`, `..._ids`) become ID.
What cannot be derived raises ImproperlyConfigured when the module is imported, and names the field.
"""

import inspect
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal as PythonDecimal
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any, NamedTuple, Union, get_args, get_origin, get_type_hints

import graphene
from django.core.exceptions import ImproperlyConfigured
from graphene.types.inputobjecttype import InputObjectTypeOptions
from graphene.types.objecttype import ObjectTypeOptions
from graphene.types.utils import yank_fields_from_attrs
from graphene.utils.str_converters import to_camel_case
from graphql import GraphQLError, Undefined

from framework import ids
from framework.changes import Unset
from framework.errors import InvalidArgument
from framework.graphql.types import DateTime, Decimal

_ID = re.compile(r"(^|_)ids?$")
_SCALARS: Mapping[Any, Any] = {
    str: graphene.String,
    bool: graphene.Boolean,
    int: graphene.Int,
    float: graphene.Float,
    PythonDecimal: Decimal,
    datetime: DateTime,
    date: graphene.Date,
}


class _Field(NamedTuple):
    """A field of an entity, as GraphQL sees it."""

    name: str
    kind: Any  # a graphene type
    is_list: bool
    nullable: bool
    is_id: bool


class EntityType(graphene.ObjectType):
    """The fields of the entity `Meta.entity`; `Meta.exclude` maps those that are left out to the reason why."""

    class Meta:
        abstract = True

    @classmethod
    def __init_subclass_with_meta__(
        cls,
        entity: Any = None,
        exclude: Mapping[str, str] | None = None,
        descriptions: Mapping[str, str] | None = None,
        **options: Any,
    ) -> None:
        meta = ObjectTypeOptions(cls)
        meta.fields = _derived(cls, entity, exclude or {}, descriptions or {}, graphene.Field, _output)
        super().__init_subclass_with_meta__(_meta=meta, **options)
        known = set(_hints(entity))
        for name in meta.fields:
            if name not in known and not hasattr(cls, f"resolve_{name}"):
                raise ImproperlyConfigured(
                    f"{cls.__name__}.{name} is no field of {entity.__name__} and has no resolver: write resolve_{name}."
                )


class EntityInput(graphene.InputObjectType):
    """The fields of the entity `Meta.entity`; resolvers receive the entity itself, with ids as integers.

    A field with a default may be left out. Null is refused for a field whose type does not hold None.
    """

    class Meta:
        abstract = True

    @classmethod
    def __init_subclass_with_meta__(
        cls,
        entity: Any = None,
        exclude: Mapping[str, str] | None = None,
        descriptions: Mapping[str, str] | None = None,
        **options: Any,
    ) -> None:
        meta = InputObjectTypeOptions(cls)
        make = _input(entity._field_defaults)
        meta.fields = _derived(cls, entity, exclude or {}, descriptions or {}, graphene.InputField, make)
        super().__init_subclass_with_meta__(container=_reader(entity), _meta=meta, **options)


@cache
def enum_type(enum: type[Enum]) -> Any:
    """The GraphQL enum of a Python enum: one, wherever it is used."""
    return graphene.Enum.from_enum(enum)


def _derived(
    cls: type,
    entity: Any,
    exclude: Mapping[str, str],
    descriptions: Mapping[str, str],
    mount_as: Any,
    make: Callable[[_Field, str | None], Any],
) -> dict[str, Any]:
    hints = _hints(entity)
    if unknown := sorted({*exclude, *descriptions} - hints.keys()):
        raise ImproperlyConfigured(f"{cls.__name__}.Meta names {unknown[0]!r}, which {entity.__name__} does not have.")
    own = {name for base in cls.__mro__ for name in vars(base)}
    wanted = (name for name in hints if name not in exclude and name not in own)
    made = {name: make(_field(cls, entity, name, hints[name]), descriptions.get(name)) for name in wanted}
    fields: dict[str, Any] = yank_fields_from_attrs(made, _as=mount_as, sort=False)
    return fields


def _output(field: _Field, description: str | None) -> Any:
    kind = graphene.List(graphene.NonNull(field.kind)) if field.is_list else field.kind
    return graphene.Field(kind, required=not field.nullable, description=description)


def _input(defaults: Mapping[str, Any]) -> Callable[[_Field, str | None], Any]:
    def make(field: _Field, description: str | None) -> Any:
        kind = graphene.List(graphene.NonNull(field.kind)) if field.is_list else field.kind
        if field.name not in defaults:
            return graphene.InputField(kind, required=not field.nullable, description=description)
        default = defaults[field.name]
        if default is None or isinstance(default, Unset):
            return graphene.InputField(kind, description=description)
        # `String! = ""`: it may be left out, and null is refused with the client's own document.
        return graphene.InputField(kind, required=not field.nullable, default_value=default, description=description)

    return make


def _field(cls: type, entity: Any, name: str, hint: Any) -> _Field:
    kinds = [kind for kind in _members(hint) if kind is not Unset]
    nullable = NoneType in kinds
    kinds = [kind for kind in kinds if kind is not NoneType]
    is_list = len(kinds) == 1 and get_origin(kinds[0]) in (tuple, list)
    kind = get_args(kinds[0])[0] if is_list else kinds[0]
    is_id = kind is int and bool(_ID.search(name))
    graphene_type = graphene.ID if is_id else _type(kind)
    if graphene_type is None or len(kinds) != 1:
        raise ImproperlyConfigured(
            f"{cls.__name__}.{name}: no GraphQL type can be derived from {hint} of {entity.__name__}."
            f" Declare the field in {inspect.getsourcefile(cls)}, or exclude it with a reason."
        )
    return _Field(name, graphene_type, is_list, nullable, is_id)


def _type(kind: Any) -> Any:
    if isinstance(kind, type) and issubclass(kind, Enum):
        return enum_type(kind)
    return _SCALARS.get(kind)


def _members(hint: Any) -> tuple[Any, ...]:
    return get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)


def _hints(entity: Any) -> dict[str, Any]:
    return get_type_hints(entity)


def _reader(entity: Any) -> Callable[[dict[str, Any]], Any]:
    """Makes the entity of what a client has sent. Raises GraphQLError, which names the field as the client does."""
    hints = _hints(entity)
    nullable = {name for name, hint in hints.items() if NoneType in _members(hint)}
    identifiers = {name for name, hint in hints.items() if int in _members(hint) and _ID.search(name)}

    required = set(hints) - set(entity._field_defaults)

    def read(values: dict[str, Any]) -> Any:
        if not required <= values.keys() or Undefined in values.values():
            return None  # graphql-core has told the client what is missing, and asks for the value nonetheless
        missing = {name for name, value in values.items() if value is None} - nullable
        if missing:
            raise _refused({to_camel_case(name): "must not be null" for name in sorted(missing)})
        return entity(**{name: _parsed(name, text) if name in identifiers else text for name, text in values.items()})

    return read


def _parsed(name: str, value: str | None) -> int | None:
    try:
        return None if value is None else ids.parse(value, field=name)
    except InvalidArgument as error:
        raise _refused({to_camel_case(name): "not an id"}) from error


def _refused(fields: Mapping[str, str]) -> GraphQLError:
    message = "Some values cannot be accepted."
    return GraphQLError(message, extensions={"code": "BAD_USER_INPUT", "fields": dict(fields)})
