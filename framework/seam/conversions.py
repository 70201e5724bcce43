"""How one value of an entity and one field of a message convert into each other. Needs no Django.

A conversion is a pair of Python expressions, which `codec` puts together into straight-line functions.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from functools import reduce
from operator import or_
from types import UnionType
from typing import Any, NamedTuple, Union, get_args, get_origin, get_type_hints

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor

from framework.grpc import convert

_F = FieldDescriptor
_PLAIN: Mapping[Any, set[int]] = {
    bool: {_F.TYPE_BOOL},
    int: {_F.TYPE_INT32, _F.TYPE_INT64, _F.TYPE_UINT32, _F.TYPE_UINT64, _F.TYPE_SINT32, _F.TYPE_SINT64},
    float: {_F.TYPE_DOUBLE, _F.TYPE_FLOAT},
    str: {_F.TYPE_STRING},
    bytes: {_F.TYPE_BYTES},
}
_KNOWN: Mapping[tuple[Any, str], tuple[Callable[..., Any], Callable[..., Any]]] = {
    (datetime, "google.protobuf.Timestamp"): (convert.timestamp_values, convert.from_timestamp),
    (timedelta, "google.protobuf.Duration"): (convert.duration_values, convert.from_duration),
    (date, "google.type.Date"): (convert.date_values, convert.from_date),
    (Decimal, "google.type.Decimal"): (convert.decimal_values, convert.from_decimal),
}
_SEQUENCES: Mapping[Any, str] = {list: "list", tuple: "tuple", Sequence: "list"}


class ContractError(Exception):
    """An entity and a message, or a function and a method, do not fit; raised when the module is imported."""


class Conversion(NamedTuple):
    """Two expressions, in which `{}` stands for the value, or for the field of the message."""

    encode: str
    decode: str


class Names(dict[str, Any]):
    """The objects that generated code names. `explained` are those that say more about what they refuse."""

    def __init__(self) -> None:
        super().__init__()
        self.explained: dict[str, Any] = {}

    def add(self, value: Any, explained: Any = None) -> str:
        name = f"_{len(self)}"
        self[name] = value
        self.explained[name] = explained or value
        return name


class Coder(NamedTuple):
    """The functions of another codec: entity -> dict, entity -> message, message -> entity. And where what is."""

    values: Callable[[Any], Any]
    message: Callable[[Any], Any]
    entity: Callable[[Any], Any]
    paths: Mapping[str, str]


Coders = Callable[[Any, FieldDescriptor], Coder]  # of an entity's type and the field of its message


def conversion(hint: Any, field: FieldDescriptor, names: Names, coders: Coders) -> Conversion | None:
    """How values of this type, which is not optional, travel in the field; None when they cannot.

    Raises ContractError for an entity that does not fit the field's message.
    """
    origin, args = get_origin(hint) or hint, get_args(hint)
    if origin in _SEQUENCES:
        return _repeated(_SEQUENCES[origin], args[0], field, names, coders) if field.is_repeated else None
    if origin is dict:
        return _keyed(args[0], args[1], field, names, coders) if field.is_repeated else None
    return None if field.is_repeated else _single(hint, field, names, coders)


def _single(hint: Any, field: FieldDescriptor, names: Names, coders: Coders) -> Conversion | None:
    if field.message_type is not None:
        return _message(hint, field, field.message_type, names, coders)
    if field.enum_type is not None:
        return _enum(hint, field.enum_type, names) if is_enum(hint) else None
    return Conversion("{}", "{}") if field.type in _PLAIN.get(hint, ()) else None


def _message(hint: Any, field: FieldDescriptor, message: Descriptor, names: Names, coders: Coders) -> Conversion | None:
    if is_entity(hint):
        coder = coders(hint, field)
        return Conversion(f"{names.add(coder.values, coder.message)}({{}})", f"{names.add(coder.entity)}({{}})")
    known = _KNOWN.get((hint, message.full_name))
    return Conversion(f"{names.add(known[0])}({{}})", f"{names.add(known[1])}({{}})") if known else None


def _repeated(kind: str, item: Any, field: FieldDescriptor, names: Names, coders: Coders) -> Conversion | None:
    each = _single(item, field, names, coders)
    if each is None:
        return None
    if each == ("{}", "{}"):
        return Conversion("{}", f"{kind}({{}})")
    items = f"[{each.decode.format('x')} for x in {{}}]"
    encode = f"[{each.encode.format('x')} for x in {{}}]"
    return Conversion(encode, items if kind == "list" else f"tuple({items})")


def _keyed(key: Any, item: Any, field: FieldDescriptor, names: Names, coders: Coders) -> Conversion | None:
    """A dict: of entities by their own id, or of lists, each in a message of its key and the list."""
    if is_entity(item) and get_type_hints(item).get("id") is key:
        each = _single(item, field, names, coders)
        return each and Conversion(
            f"[{each.encode.format('x')} for x in {{}}.values()]",
            f"{{{{(y := {each.decode.format('x')}).id: y for x in {{}}}}}}",
        )
    if field.message_type is None or len(field.message_type.fields) != 2:
        return None
    first, second = field.message_type.fields
    one, many = conversion(key, first, names, coders), conversion(item, second, names, coders)
    if one != ("{}", "{}") or many is None:
        return None
    return Conversion(
        f"[{{{{{first.name!r}: k, {second.name!r}: {many.encode.format('v')}}}}} for k, v in {{}}.items()]",
        f"{{{{z.{first.name}: {many.decode.format(f'z.{second.name}')} for z in {{}}}}}}",
    )


def _enum(hint: type[StrEnum], enum: EnumDescriptor, names: Names) -> Conversion:
    """Members and values of the same name, after the prefix; the value 0 is nobody's."""
    prefix = enum_prefix(enum)
    ours = {prefix + member.name: member for member in hint}
    theirs = {value.name: value.number for value in enum.values if value.number}
    odd = sorted(ours.keys() ^ theirs.keys())
    if odd:
        raise ContractError(
            f"{hint.__name__} ({file_of(hint)}) and {enum.full_name} ({enum.file.name}) must have the same members;"
            f" only one of them has {', '.join(odd)}."
        )
    members = _Members(theirs)
    members.update({theirs[name]: member for name, member in ours.items()})
    numbers = {member: theirs[name] for name, member in ours.items()}
    return Conversion(f"{names.add(numbers)}[{{}}]", f"{names.add(members)}[{{}}]")


class _Members(dict[int, StrEnum]):
    """An enum's members by their numbers; what is not among them raises ValueError, in words for the client."""

    def __init__(self, known: Iterable[str]) -> None:
        super().__init__()
        self._known = ", ".join(known)

    def __missing__(self, number: int) -> StrEnum:
        if number == 0:
            raise ValueError("is required")
        raise ValueError(f"{number} is not one of {self._known}")


def enum_prefix(enum: EnumDescriptor) -> str:
    """`PRODUCT_ORDER_` of ProductOrder: what its values begin with."""
    words = "".join(f"_{letter}" if letter.isupper() else letter for letter in enum.name)
    return words.lstrip("_").upper() + "_"


def file_of(thing: Any) -> str:
    """Where a class or function stands, as its module says: `apps/catalog/entities.py`."""
    return str(thing.__module__).replace(".", "/") + ".py"


def is_entity(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, tuple) and hasattr(hint, "_fields")


def is_enum(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, StrEnum)


def without(hint: Any, *removed: Any) -> tuple[Any, bool]:
    """The type without some members of its union, and whether it had one of them."""
    if get_origin(hint) not in (Union, UnionType):
        return hint, False
    kept = [member for member in get_args(hint) if member not in removed]
    return reduce(or_, kept), len(kept) < len(get_args(hint))
