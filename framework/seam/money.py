"""Amounts and their currency in a google.type.Money. Needs no Django.

A Decimal takes its currency from the entity's `<name>_currency`, or else from its `currency`, which several amounts may
share. When the contract calls the field OPTIONAL, no currency and 0.00 stand for money that is missing.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from google.protobuf.descriptor import FieldDescriptor

from framework.grpc import convert
from framework.seam.conversions import Names, without
from framework.seam.presence import MISSING, Slot, if_present, may_be_missing

_ZERO = Decimal("0.00")


def is_money(hint: Any, field: FieldDescriptor) -> bool:
    message = field.message_type
    return (
        hint is Decimal and message is not None and message.full_name == "google.type.Money" and not field.is_repeated
    )


def currency_of(slot: Slot, slots: Mapping[str, Slot]) -> Slot | None:
    return slots.get(f"{slot.name}_currency") or slots.get("currency")


def encoder(slot: Slot, currency: Slot, field: FieldDescriptor, nullable: bool, names: Names) -> str:
    encode = f"{names.add(convert.money_values)}({slot.name}, {currency.name})"
    if nullable:
        _, both = without(currency.hint, type(None))  # neither is sent without the other
        return f"(None if {slot.name} is None{f' is {currency.name}' if both else ''} else {encode})"
    return f"({encode} if {currency.name} else None)" if may_be_missing(slot, field) else encode


def amount(slot: Slot, field: FieldDescriptor, nullable: bool, names: Names, *, like: str = "") -> str:
    """The expression that reads the amount; with `like`, which must be in the currency of that other field."""
    decode = f"{names.add(convert.from_money)}(m.{field.name})"
    if like:
        decode = f"{names.add(_amount_like)}(m.{field.name}, m.{like})"
    if not nullable and may_be_missing(slot, field):
        slot = slot._replace(default=_ZERO)
    return if_present(decode, slot, field, nullable, names)


def currency_code(currency: Slot, field: FieldDescriptor, names: Names) -> str:
    """The expression that reads the currency."""
    code = f"m.{field.name}.currency_code"
    _, nullable = without(currency.hint, type(None))
    if not nullable and currency.default in (MISSING, ""):
        return code
    absent = None if currency.default is MISSING else currency.default
    return f"({code} if m.HasField({field.name!r}) else {names.add(absent)})"


def _amount_like(money: Any, other: Any) -> Decimal:
    if money.currency_code != other.currency_code:
        raise ValueError(f"must be in {other.currency_code}, as the others are")
    return convert.from_money(money)
