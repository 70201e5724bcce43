"""What it means that a field of a message is absent, and what the contract says of its fields. Needs no Django."""

from collections.abc import Sequence
from typing import Any, NamedTuple, NoReturn

from google.api.field_behavior_pb2 import IDENTIFIER, OPTIONAL, OUTPUT_ONLY, field_behavior
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.descriptor_pb2 import FieldDescriptorProto

from framework.seam.conversions import Names

MISSING: Any = object()


class Slot(NamedTuple):
    """A field of an entity, or a parameter of a function."""

    name: str
    hint: Any
    default: Any = MISSING


def need_not_be_sent(field: FieldDescriptor) -> bool:
    return _behaves(field, OUTPUT_ONLY, IDENTIFIER)


def if_present(decode: str, slot: Slot, field: FieldDescriptor, nullable: bool, names: Names) -> str:
    """The expression that reads the field, or else gives its default, None, or refuses the message.

    A field that is not `optional` is read as it is, but for enums: their value 0 is _UNSPECIFIED.
    """
    has_default = slot.default is not MISSING
    if field.has_presence:
        absent = names.add(slot.default if has_default else None)
        if not has_default and not nullable:
            absent = f"{names.add(_required)}()"
        return f"({decode} if m.HasField({field.name!r}) else {absent})"
    if field.enum_type is not None and not field.is_repeated and has_default:
        return f"({decode} if m.{field.name} else {names.add(slot.default)})"
    return decode


def unclear(slot: Slot, field: FieldDescriptor, nullable: bool) -> str:
    """Why absence cannot be told from a value of the field; empty when it can, or need not be."""
    if field.has_presence or (field.enum_type is not None and not nullable):
        return ""
    if nullable:
        return f"{slot.name!r} may be None: make it `optional` in the message."
    if slot.default is not MISSING and slot.default:
        return f"{slot.name!r} defaults to {slot.default!r} here: make it `optional` in the message."
    return ""


def may_be_missing(slot: Slot, field: FieldDescriptor) -> bool:
    """Whether the contract lets money be missing, for 0.00 in no currency."""
    return slot.default is MISSING and _behaves(field, OPTIONAL)


def kind_of(field: FieldDescriptor) -> str:
    """The field's type as the contract writes it."""
    kind = field.message_type or field.enum_type
    scalar: Any = field.type
    name = kind.full_name if kind else FieldDescriptorProto.Type.Name(scalar).removeprefix("TYPE_").lower()
    return f"repeated {name}" if field.is_repeated else str(name)


def present(value: Any) -> Any:
    """Protobuf takes None for an absent field, so that it would be lost. Raises TypeError."""
    if value is None:
        raise TypeError
    return value


def _behaves(field: FieldDescriptor, *behaviors: int) -> bool:
    declared: Sequence[int] = field.GetOptions().Extensions[field_behavior]
    return any(behavior in declared for behavior in behaviors)


def _required() -> NoReturn:
    raise ValueError("is required")
