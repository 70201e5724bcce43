"""The root schema: every domain's Query and Mutation, joined."""

from collections.abc import Callable
from functools import wraps
from types import ModuleType
from typing import Any

import graphene
from django.core.exceptions import ImproperlyConfigured
from graphql import GraphQLField

from framework import discovery
from framework.actor import Rule, require
from framework.graphql.types import Info

Resolver = Callable[..., Any]


def join() -> graphene.Schema:
    """Make the schema.

    Raises ImproperlyConfigured when two domains declare one root field, and for a root field that does not say
    who may use it.
    """
    modules = list(discovery.modules("schema", remote=True))
    schema = graphene.Schema(query=_root("Query", modules), mutation=_root("Mutation", modules))
    for root in (schema.graphql_schema.query_type, schema.graphql_schema.mutation_type):
        for name, field in root.fields.items():
            field.resolve = guarded(f"{root.name}.{name}", field)
    return schema


def _root(name: str, modules: list[ModuleType]) -> type[graphene.ObjectType]:
    parts = [(module, getattr(module, name)) for module in modules if hasattr(module, name)]
    fields = ((field, module) for module, part in parts for field in part._meta.fields)
    discovery.unique(f"GraphQL {name} field", fields)
    return type(name, tuple(part for _, part in parts), {})


def guarded(name: str, field: GraphQLField) -> Resolver:
    """The field's resolver, for those it is declared for.

    Raises ImproperlyConfigured when nothing is declared.
    """
    resolver: Any = field.resolve
    rule: Rule | None = getattr(resolver, "allowed", None)
    if rule is None:
        raise ImproperlyConfigured(
            f"{name} does not declare who may use it: mark its resolver with @allow(...) of framework.actor."
        )

    @wraps(resolver)
    def resolve(parent: Any, info: Info, **arguments: Any) -> Any:
        require(info.context.actor, rule)
        return resolver(parent, info, **arguments)

    return resolve
