"""The root schema: every domain's Query and Mutation, joined, with the rule of each field in front of its resolver."""

import traceback
from collections.abc import Callable, Iterator
from functools import wraps
from types import ModuleType
from typing import Any

import graphene
from django.core.exceptions import ImproperlyConfigured
from graphene.utils.orderedtype import OrderedType
from graphql import GraphQLField, GraphQLObjectType, GraphQLSchema, is_introspection_type, is_object_type

from framework import discovery
from framework.actor import Rule, anyone, require
from framework.graphql import reasons
from framework.graphql.types import Info

Resolver = Callable[..., Any]


def join() -> graphene.Schema:
    """Make the schema.

    Raises ImproperlyConfigured when two domains declare one root field, for a root field that does not say who may
    use it or why it may be refused, for one that hides an import of its module, and for a rule that would not be
    enforced.
    """
    modules = _modules()
    schema = graphene.Schema(_root("Query", modules), _root("Mutation", modules), types=[reasons.enum()])
    reasons.describe(schema.graphql_schema, modules)
    enforce_rules(schema.graphql_schema)
    return schema


def _modules() -> list[ModuleType]:
    try:
        return list(discovery.modules("schema", remote=True))
    except AttributeError as error:
        if not isinstance(error.obj, OrderedType):
            raise
        line = traceback.extract_tb(error.__traceback__)[-1]
        raise ImproperlyConfigured(
            f"{line.filename}:{line.lineno}: here {error.name!r} is looked up in a field, which hides an import of the"
            f" same name: rename the import, as in `from apps.bookings import public`. The line: {line.line}"
        ) from error


def enforce_rules(schema: GraphQLSchema) -> None:
    """Put each field's rule in front of its resolver, nested fields included. Raises what `join` raises."""
    roots = (schema.query_type, schema.mutation_type)
    for kind in _object_types(schema):
        _refuse_lost_rules(kind)
        for name, field in kind.fields.items():
            rule: Rule | None = getattr(field.resolve, "allowed", None)
            if rule is not None:
                field.resolve = field.resolve if rule is anyone else _guarded(field, rule)
            elif kind in roots:
                raise ImproperlyConfigured(
                    f"{kind.name}.{name} does not declare who may use it:"
                    " mark its resolver with @allow(...) of framework.actor."
                )


def _root(name: str, modules: list[ModuleType]) -> type[graphene.ObjectType] | None:
    """None when no domain has a field of it."""
    parts = [(module, getattr(module, name)) for module in modules if hasattr(module, name)]
    fields = ((field, module) for module, part in parts for field in part._meta.fields)
    discovery.unique(f"GraphQL {name} field", fields)
    return type(name, tuple(part for _, part in parts), {}) if parts else None


def _object_types(schema: GraphQLSchema) -> Iterator[GraphQLObjectType]:
    for kind in schema.type_map.values():
        if is_object_type(kind) and not is_introspection_type(kind):
            yield kind  # type: ignore[misc]  # graphql-core's predicate narrows nothing


def _refuse_lost_rules(kind: GraphQLObjectType) -> None:
    """Raise ImproperlyConfigured for a rule on something that is no resolver: nobody would ask it."""
    graphene_type: Any = getattr(kind, "graphene_type", None)
    if graphene_type is None:
        return
    resolvers = {"mutate", *(f"resolve_{name}" for name in graphene_type._meta.fields)}
    for base in graphene_type.__mro__:
        for name, value in vars(base).items():
            if hasattr(getattr(value, "__func__", value), "allowed") and name not in resolvers:
                raise ImproperlyConfigured(
                    f"{base.__module__}.{base.__name__}.{name} carries @allow(...), but it resolves no field of"
                    f" {kind.name}: its rule would never be asked."
                )


def _guarded(field: GraphQLField, rule: Rule) -> Resolver:
    resolver: Any = field.resolve

    @wraps(resolver)
    def resolve(parent: Any, info: Info, **arguments: Any) -> Any:
        require(info.context.actor, rule)
        return resolver(parent, info, **arguments)

    return resolve
