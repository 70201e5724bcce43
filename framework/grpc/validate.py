"""Checks of a request that name every bad field at once.

with Violations() as check:
    check.required("sku", request.sku)
    check.length("name", request.name, most=200)
    price, currency = check.money("price", request.price)
# here the request is good; otherwise InvalidArgument was raised, with one entry a field
"""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from typing import Any

from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.timestamp_pb2 import Timestamp
from google.type.money_pb2 import Money

from framework.errors import InvalidArgument
from framework.grpc import convert


class Violations:
    """What is wrong with a request, by the path of the field; the first complaint about a field counts."""

    def __init__(self) -> None:
        self.found: dict[str, str] = {}

    def __enter__(self) -> "Violations":
        return self

    def __exit__(self, exception_type: type[BaseException] | None, *_: object) -> None:
        if self.found and exception_type is None:
            raise InvalidArgument("Some fields cannot be accepted.", fields=self.found)

    def add(self, field: str, description: str) -> None:
        self.found.setdefault(field, description)

    def required(self, field: str, value: Any) -> None:
        """Refuse the field's default: proto3 does not tell it from an absent field."""
        if not value:
            self.add(field, "is required")

    def length(self, field: str, value: str | Collection[Any], *, least: int = 0, most: int) -> None:
        """Of a text in characters, or of a repeated field in elements."""
        if not least <= len(value) <= most:
            unit = "characters" if isinstance(value, str) else "elements"
            self.add(field, f"must have {least} to {most} {unit}, not {len(value)}")

    def within(self, field: str, value: int, least: int, most: int) -> None:
        if not least <= value <= most:
            self.add(field, f"must be between {least} and {most}")

    def enum(self, field: str, kind: Any, value: int) -> None:
        """Refuse a number this server has no name for: a newer client's, or none at all."""
        if value not in kind.values():
            self.add(field, f"{value} is not one of {', '.join(kind.keys())}")

    def mask(self, field: str, mask: FieldMask, allowed: Collection[str]) -> tuple[str, ...]:
        """The allowed paths of the mask, each once; it must have some, and no others."""
        unknown = sorted(set(mask.paths) - set(allowed))
        if unknown:
            self.add(field, f"{', '.join(unknown)} cannot be changed; allowed: {', '.join(sorted(allowed))}")
        self.required(field, mask.paths)
        return tuple(path for path in dict.fromkeys(mask.paths) if path in allowed)

    def money(self, field: str, money: Money) -> tuple[Decimal, str]:
        """Amount and currency; (0, "") when they are bad."""
        try:
            return convert.from_money(money)
        except ValueError as error:
            self.add(field, str(error))
            return Decimal(0), ""

    def moment(self, field: str, timestamp: Timestamp) -> datetime | None:
        """In UTC; None when it is bad."""
        try:
            return convert.from_timestamp(timestamp)
        except ValueError as error:
            self.add(field, str(error))
            return None


@contextmanager
def renamed(names: Mapping[str, str]) -> Iterator[None]:
    """Give the fields of an InvalidArgument raised within the names the contract has for them."""
    try:
        yield
    except InvalidArgument as error:
        error.fields = {names.get(field, field): text for field, text in error.fields.items()}
        raise
