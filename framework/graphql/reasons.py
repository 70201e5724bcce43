"""The reasons of refusals in the schema: an enum of all, and in each mutation's description its own."""

from collections.abc import Iterable, Iterator
from types import ModuleType
from typing import Any

import graphene
from django.core.exceptions import ImproperlyConfigured
from graphene.utils.str_converters import to_camel_case
from graphql import GraphQLSchema

from framework import reasons


def enum() -> Any:
    """The type of `extensions.reason`. No field has it; clients generate code from it."""
    users: dict[str, list[str]] = {reason: [] for reason in reasons.ANY}
    for domain in reasons.declared().values():
        for name, own in domain.items():
            for reason in own:
                users.setdefault(reason, []).append(to_camel_case(name))

    def description(member: Any) -> str:
        if member is None:
            return "What `extensions.reason` of an error may be; without it, `extensions.code` says all."
        return ", ".join(users[member.value]) or "Any operation."

    return graphene.Enum("ErrorReason", [(name, name) for name in sorted(users)], description=description)


def describe(schema: GraphQLSchema, modules: Iterable[ModuleType]) -> None:
    """Name its reasons in each mutation's description. Raises ImproperlyConfigured for one that declares none."""
    for package, name in _mutations(modules):
        own = reasons.declared().get(package, {})
        if name not in own:
            raise ImproperlyConfigured(
                f"The mutation {name} does not declare why it may be refused: put"
                f' "{name}": ("A_REASON", ...) into REASONS of {package}.rules, () if it has no reason of its own.'
            )
        field = schema.mutation_type.fields[to_camel_case(name)]  # type: ignore[union-attr]
        text = f"Reasons: {', '.join(own[name])}." if own[name] else ""
        field.description = "\n".join(filter(None, (field.description, text))) or None


def _mutations(modules: Iterable[ModuleType]) -> Iterator[tuple[str, str]]:
    for module in modules:
        if hasattr(module, "Mutation"):
            yield from ((module.__name__.rpartition(".")[0], name) for name in module.Mutation._meta.fields)
