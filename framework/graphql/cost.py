"""`@cost` on resolvers, and the variables that a cost depends on; framework/graphql/estimate.py adds it up."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeVar

from django.core.exceptions import ImproperlyConfigured
from graphql import DocumentNode, GraphQLField, GraphQLSchema, VariableNode

F = TypeVar("F", bound=Callable[..., Any])

PAGE_SIZES = ("first", "last")


def cost(points: int | None = None, **arguments: int) -> Callable[[F], F]:
    """Declare the points that calling a resolver costs, where it is not the usual 1 of a field that returns objects.

        @cost(10, search=2_500)
        def resolve_products(root, info, search): ...

    `arguments` are points to be added when the argument of that (Python) name is given a value: anything but null,
    false, 0, an empty text or an empty list. Declare one where an argument makes the resolver read much more than it
    returns. A name that is no argument of the field refuses to start.
    """

    def mark(resolver: F) -> F:
        if points is not None:
            resolver.cost = points  # type: ignore[attr-defined]
        resolver.argument_costs = arguments  # type: ignore[attr-defined]
        return resolver

    return mark


def priced_arguments(schema: GraphQLSchema) -> frozenset[str]:
    """The names of all arguments with a declared cost, as GraphQL writes them.

    Raises ImproperlyConfigured for a cost that names no argument of its field.
    """
    names: set[str] = set()
    for parent in schema.type_map.values():
        for name, field in getattr(parent, "fields", {}).items():
            costs = getattr(getattr(field, "resolve", None), "argument_costs", {})
            known = python_names(field) if costs else {}
            if costs.keys() - known.keys():
                unknown = ", ".join(sorted(costs.keys() - known.keys()))
                raise ImproperlyConfigured(f"@cost on {parent.name}.{name} names no argument of it: {unknown}.")
            names.update(known[argument] for argument in costs)
    return frozenset(names)


def python_names(field: GraphQLField) -> dict[str, str]:
    """The arguments as GraphQL writes them, by their names in Python."""
    return {argument.out_name or name: name for name, argument in field.args.items()}


class Deciding(NamedTuple):
    """The names of the variables that a cost depends on: by their value, or only by whether they have one."""

    by_value: list[str]
    by_presence: list[str]


def deciding_variables(document: DocumentNode, priced: frozenset[str]) -> Deciding:
    """Those of page sizes, @skip and @include decide by their value, those of priced arguments by their presence."""
    by_value: set[str] = set()
    by_presence: set[str] = set()
    for name, variable in variable_uses(document):
        if name in (*PAGE_SIZES, "if"):
            by_value.add(variable)
        elif name in priced:
            by_presence.add(variable)
    return Deciding(sorted(by_value), sorted(by_presence))


def variable_uses(document: DocumentNode) -> Iterator[tuple[str, str]]:
    """Pairs of an argument of a field or directive, and the variable that it is given as a whole.

    Not recursive: documents can be deep.
    """
    selection_sets = [node.selection_set for node in document.definitions if hasattr(node, "selection_set")]
    while selection_sets:
        for node in selection_sets.pop().selections:
            for owner in (node, *node.directives):
                for argument in getattr(owner, "arguments", ()):
                    if isinstance(argument.value, VariableNode):
                        yield argument.name.value, argument.value.name.value
            inner = getattr(node, "selection_set", None)
            if inner:
                selection_sets.append(inner)
