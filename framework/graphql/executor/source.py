"""Python source for the objects of one selection set.

The source depends only on the shape of the selection set: how many fields, of which kinds. Names and keys
come from documents, so they never get into it; they are bound as variables of the enclosing function. And so
selection sets of one shape share one piece of code.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, cast

from graphql import (
    GraphQLBoolean,
    GraphQLFloat,
    GraphQLID,
    GraphQLInt,
    GraphQLScalarType,
    GraphQLString,
    Undefined,
)

from framework.graphql.cache import BoundedCache
from framework.graphql.executor.deferred import Pending

SHAPES_KEPT = 1024

# How a field's value is come by.
CONSTANT = "constant"  # known beforehand: __typename
READ = "read"  # read off the source, and finished by the field where it changes
CALL = "call"  # everything is done by the field

ANYTHING_ELSE = ""

# A built-in scalar leaves a value alone when none of these holds; `{v}` stands for the value.
CHANGES = {
    GraphQLString.serialize: "type({v}) is not str",
    GraphQLInt.serialize: "(type({v}) is not int or not -2147483648 <= {v} <= 2147483647)",
    GraphQLFloat.serialize: "(type({v}) is not float or {v} - {v} != 0.0)",
    GraphQLBoolean.serialize: "{v} is not True and {v} is not False",
    GraphQLID.serialize: "type({v}) is not str",
}

# A change so common that it is made in place. (Longer numbers than these are refused by `str`.)
IN_PLACE = {
    CHANGES[GraphQLID.serialize]: """\
    if type({v}) is int and -9223372036854775808 <= {v} <= 9223372036854775807:
        {v} = str({v})"""
}

PROLOGUE = """\
    getter = getters[type(source)]
    if getter is None:
        if source is None or source is Undefined:
            return None
        if isinstance(source, Exception):
            raise source"""

Run = Callable[[Any, Any, Any], Any]


class Slot(NamedTuple):
    """One field as the generated code sees it."""

    kind: str
    key: str
    changes: str = ANYTHING_ELSE
    nullable: bool = True
    read: Any = None
    finish: Any = None
    exact: Any = None  # a class, and what serializes values of exactly that class


def changes(scalar: GraphQLScalarType) -> str:
    """The condition under which a built-in scalar's value has to be serialized; empty for other scalars."""
    return CHANGES.get(scalar.serialize, ANYTHING_ELSE)


def generate(slots: Sequence[Slot], getters: Any) -> Run:
    """A function that completes an object: `run(context, source, path)`."""
    shape = tuple((slot.kind, slot.changes, slot.nullable, slot.exact is None) for slot in slots)
    make = _makers.get_or_make(shape, lambda: _make(slots))
    bound = [value for slot in slots for value in (slot.key, slot.read, slot.finish, *(slot.exact or (None, None)))]
    return cast("Run", make(getters, *bound))


_makers: BoundedCache[Callable[..., Any]] = BoundedCache(SHAPES_KEPT)


def _make(slots: Sequence[Slot]) -> Callable[..., Any]:
    scope: dict[str, Any] = {"Pending": Pending, "Undefined": Undefined}
    # The source is made of the constants of this module and of numbers.
    exec(compile(_source(slots), "<selection set>", "exec"), scope)  # noqa: S102
    return cast("Callable[..., Any]", scope["make"])


def _source(slots: Sequence[Slot]) -> str:
    numbers = range(len(slots))
    bound = ", ".join(f"k{n}, r{n}, f{n}, c{n}, s{n}" for n in numbers)
    reads = [n for n in numbers if slots[n].kind == READ]
    calls = [n for n in numbers if slots[n].kind != CONSTANT]
    lines = [f"def make(getters, {bound}):", "  def run(context, source, path):", PROLOGUE]
    if reads:
        unpacked = ", ".join(f"v{n}" for n in reads)
        lines += ["    else:", f"        {unpacked} = getter(source)"]
    for n in calls:
        lines += _statements(n, slots[n])
    entries = ", ".join(f"k{n}: {'r' if slots[n].kind == CONSTANT else 'v'}{n}" for n in numbers)
    lines.append(f"    result = {{{entries}}}")
    if calls:
        lines.append("    if context.pending:")
    for n in calls:
        lines += [f"        if v{n}.__class__ is Pending:", f"            v{n}.container = result"]
    lines += ["    return result", "  return run"]
    return "\n".join(lines)


def _statements(n: int, slot: Slot) -> list[str]:
    if slot.kind == CALL:
        return [f"    v{n} = f{n}(context, source, path)"]
    if slot.exact:
        return [
            "    if getter is None:",
            f"        v{n} = r{n}(source)",
            f"    if type(v{n}) is c{n}:",
            f"        v{n} = s{n}(v{n})",
            f"    elif v{n} is not None:" if slot.nullable else "    else:",
            f"        v{n} = f{n}(context, v{n}, path)",
        ]
    conditions = [slot.changes.format(v=f"v{n}")] if slot.changes else []
    if slot.nullable:
        conditions.append(f"v{n} is not None")
    in_place = IN_PLACE.get(slot.changes)
    return [
        "    if getter is None:",
        f"        v{n} = r{n}(source)",
        *([in_place.format(v=f"v{n}")] if in_place else []),
        f"    if {' and '.join(conditions) or 'True'}:",
        f"        v{n} = f{n}(context, v{n}, path)",
    ]
