"""Decimal and datetime to and from the well-known messages; exact, and strict about what they accept. No Django."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from google.type.money_pb2 import Money

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CURRENCY = re.compile(r"[A-Z]{3}")
_NANO = 1_000_000_000


def to_money(amount: Decimal, currency: str) -> Money:
    """Money of an amount in units of the currency (ISO 4217).

    Raises ValueError when it has more than nine decimals.
    """
    return Money(**money_values(amount, currency))


def money_values(amount: Decimal, currency: str) -> dict[str, Any]:
    """What `to_money` makes Money of; protobuf takes it in its place, and is spared a copy. Raises what it raises."""
    exact = amount * _NANO
    nanos = int(exact)
    if nanos != exact:
        raise ValueError("has more than nine decimals")
    units = nanos // _NANO if nanos >= 0 else -(-nanos // _NANO)
    return {"currency_code": currency, "units": units, "nanos": nanos - units * _NANO}


def from_money(money: Money) -> tuple[Decimal, str]:
    """Amount, with two decimals or as many as it needs, and currency.

    Raises ValueError, in words for the client, when the message breaks the rules of google.type.Money.
    """
    if not _CURRENCY.fullmatch(money.currency_code):
        raise ValueError("currency_code must be three capital letters (ISO 4217)")
    if abs(money.nanos) >= _NANO:
        raise ValueError("nanos must be between -999999999 and 999999999")
    if money.units * money.nanos < 0:
        raise ValueError("units and nanos must have the same sign")
    cents, rest = divmod(money.nanos, _NANO // 100)
    if rest:
        return (Decimal(money.units) + Decimal(money.nanos).scaleb(-9)).normalize(), money.currency_code
    return Decimal(money.units * 100 + cents).scaleb(-2), money.currency_code


def to_timestamp(moment: datetime) -> Timestamp:
    """Raises ValueError for a moment without a time zone: it could be anywhere."""
    return Timestamp(**timestamp_values(moment))


def timestamp_values(moment: datetime) -> dict[str, Any]:
    """As `money_values`. Raises what `to_timestamp` raises."""
    if moment.tzinfo is None:
        raise ValueError("the moment has no time zone")
    since = moment - _EPOCH
    return {"seconds": since.days * 86_400 + since.seconds, "nanos": since.microseconds * 1000}


def from_timestamp(timestamp: Timestamp) -> datetime:
    """In UTC, to the microsecond.

    Raises ValueError, in words for the client, outside the years 1 to 9999.
    """
    if not 0 <= timestamp.nanos < _NANO:
        raise ValueError("nanos must be between 0 and 999999999")
    try:
        return _EPOCH + timedelta(seconds=timestamp.seconds, microseconds=timestamp.nanos // 1000)
    except OverflowError:
        raise ValueError("seconds must be within the years 1 to 9999") from None
