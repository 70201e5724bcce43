"""Generates the Python function that completes the objects of one selection set.

Its source depends only on the shape of the selection set: how many fields, of which kinds. Names and keys come
from clients, so they never become part of the source: they are bound as variables of the enclosing function.
Selection sets of one shape therefore share one code object.
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
)

from framework.graphql.bounded import BoundedCache
from framework.graphql.executor.execution import Pending

FIELDS_KEPT = 4_096  # of all shapes together; a field takes about 500 bytes of code

# How the generated code gets a field's value.
CONSTANT = "constant"  # known beforehand: __typename
READ = "read"  # reads it off the source, and calls the field's `finish` where serializing changes it
CALL = "call"  # calls the field, which does everything

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
        if source is None:
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


def changes(type_: Any) -> str:
    """The condition under which a built-in scalar's value has to be serialized; empty for other types."""
    return CHANGES.get(type_.serialize, ANYTHING_ELSE) if isinstance(type_, GraphQLScalarType) else ANYTHING_ELSE


def exact(type_: Any) -> tuple[type, Callable[[Any], Any]] | None:
    """A class, and the function that serializes values of exactly that class, as the scalar's `exact` declares.

    It speaks for the `serialize` declared beside it only: a subclass with its own `serialize` is called for each
    value.
    """
    for class_ in getattr(type_, "graphene_type", object).__mro__:
        if "serialize" in vars(class_):
            return cast("tuple[type, Callable[[Any], Any]] | None", vars(class_).get("exact"))
    return None


def generate(slots: Sequence[Slot], getters: Any) -> Run:
    """A function that completes an object: `run(execution, source, path)`."""
    shape = tuple((slot.kind, slot.changes, slot.nullable, slot.exact is None) for slot in slots)
    make = _makers.get_or_make(shape, lambda: (_make(slots), len(slots)))[0]
    return cast("Run", make(getters, *(value for slot in slots for _, value in _bound(slot))))


_makers: BoundedCache[tuple[Callable[..., Any], int]] = BoundedCache(FIELDS_KEPT, lambda made: 1 + made[1])


def _bound(slot: Slot) -> list[tuple[str, Any]]:
    """What the generated code knows of one field: the first letters of its variables, with their values."""
    if slot.kind == CONSTANT:
        return [("k", slot.key), ("r", slot.read)]
    if slot.kind == CALL:
        return [("k", slot.key), ("f", slot.finish)]
    exact = zip(("c", "s"), slot.exact or (), strict=False)
    return [("k", slot.key), ("r", slot.read), ("f", slot.finish), *exact]


def _make(slots: Sequence[Slot]) -> Callable[..., Any]:
    scope: dict[str, Any] = {"Pending": Pending}
    # The source is made of the constants of this module and of numbers.
    exec(compile(_source(slots), "<selection set>", "exec"), scope)  # noqa: S102
    return cast("Callable[..., Any]", scope["make"])


def _source(slots: Sequence[Slot]) -> str:
    numbers = range(len(slots))
    bound = ", ".join(f"{letter}{n}" for n in numbers for letter, _ in _bound(slots[n]))
    reads = [n for n in numbers if slots[n].kind == READ]
    calls = [n for n in numbers if slots[n].kind != CONSTANT]
    lines = [f"def make(getters, {bound}):", "  def run(execution, source, path):", PROLOGUE]
    if reads:
        unpacked = ", ".join(f"v{n}" for n in reads)
        lines += ["    else:", f"        {unpacked} = getter(source)"]
    for n in calls:
        lines += _statements(n, slots[n])
    entries = ", ".join(f"k{n}: {'r' if slots[n].kind == CONSTANT else 'v'}{n}" for n in numbers)
    lines.append(f"    result = {{{entries}}}")
    if calls:
        lines.append("    if execution.pending:")
    for n in calls:
        lines += [f"        if v{n}.__class__ is Pending:", f"            v{n}.container = result"]
    lines += ["    return result", "  return run"]
    return "\n".join(lines)


def _statements(n: int, slot: Slot) -> list[str]:
    if slot.kind == CALL:
        return [f"    v{n} = f{n}(execution, source, path)"]
    if slot.exact:
        return [
            "    if getter is None:",
            f"        v{n} = r{n}(source)",
            f"    if type(v{n}) is c{n}:",
            f"        v{n} = s{n}(v{n})",
            f"    elif v{n} is not None:" if slot.nullable else "    else:",
            f"        v{n} = f{n}(execution, v{n}, path)",
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
        f"        v{n} = f{n}(execution, v{n}, path)",
    ]
