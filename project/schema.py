"""The root schema: every domain's Query and Mutation, joined."""

from types import ModuleType
from typing import Any

import graphene
from django.core.exceptions import ImproperlyConfigured

from project import discovery


def join() -> graphene.Schema:
    """Make the schema.

    Raises ImproperlyConfigured when two domains declare one root field or type, and for a root field that does
    not say who may use it.
    """
    modules = list(discovery.modules("schema", remote=True))
    schema = graphene.Schema(query=_root("Query", modules), mutation=_root("Mutation", modules))
    _check_allowed(schema)
    return schema


def _root(name: str, modules: list[ModuleType]) -> type[graphene.ObjectType]:
    parts = [(module, getattr(module, name)) for module in modules if hasattr(module, name)]
    fields = ((field, module) for module, part in parts for field in part._meta.fields)
    discovery.unique(f"GraphQL {name} field", fields)
    return type(name, tuple(part for _, part in parts), {})


def _check_allowed(schema: graphene.Schema) -> None:
    for root in (schema.graphql_schema.query_type, schema.graphql_schema.mutation_type):
        for name, field in root.fields.items():
            if rule_of(field.resolve) is None:
                raise ImproperlyConfigured(
                    f"{root.name}.{name} does not declare who may use it: "
                    "mark its resolver with @allow(...) of apps.common.actor."
                )


def rule_of(resolver: Any) -> Any:
    return getattr(resolver, "allowed", None)


schema = join()
