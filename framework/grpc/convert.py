"""Exact conversions between Python's values and the well-known messages of protobuf. Needs no Django.

The `*_values` functions return a dict, which protobuf accepts as the value of a message field without copying a
message.
"""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NANO = 1_000_000_000
_MICROSECOND = timedelta(microseconds=1)


def money_values(amount: Decimal, currency: str) -> dict[str, Any]:
    """A google.type.Money of an amount in units of the currency (ISO 4217).

    Raises ValueError when the amount has more than nine decimals, ArithmeticError when it is infinite or NaN.
    """
    exact = amount * _NANO
    nanos = int(exact)
    if nanos != exact:
        raise ValueError("has more than nine decimals")
    units = nanos // _NANO if nanos >= 0 else -(-nanos // _NANO)
    return {"currency_code": currency, "units": units, "nanos": nanos - units * _NANO}


def from_money(money: Any) -> Decimal:
    """The amount, with two decimals or as many as it needs; its currency is `money.currency_code`, unchecked.

    Raises ValueError, in words for the client, when the message breaks the rules of google.type.Money.
    """
    units, nanos = money.units, money.nanos
    if not -_NANO < nanos < _NANO:
        raise ValueError("nanos must be between -999999999 and 999999999")
    if units * nanos < 0:
        raise ValueError("units and nanos must have the same sign")
    cents, rest = divmod(nanos, _NANO // 100)
    if rest:
        return (Decimal(units) + Decimal(nanos).scaleb(-9)).normalize()
    return Decimal(units * 100 + cents).scaleb(-2)


def decimal_values(number: Decimal) -> dict[str, Any]:
    """A google.type.Decimal."""
    return {"value": str(number)}


def from_decimal(message: Any) -> Decimal:
    """Raises ValueError for what is not a finite decimal number."""
    try:
        number = Decimal(message.value)
    except InvalidOperation:
        raise ValueError("is not a decimal number") from None
    if not number.is_finite():
        raise ValueError("is not a finite number")
    return number


def timestamp_values(moment: datetime) -> dict[str, Any]:
    """A google.protobuf.Timestamp. Raises ValueError for a moment without a time zone."""
    if moment.tzinfo is None:
        raise ValueError("the moment has no time zone")
    since = moment - _EPOCH
    return {"seconds": since.days * 86_400 + since.seconds, "nanos": since.microseconds * 1000}


def from_timestamp(timestamp: Any) -> datetime:
    """In UTC, to the microsecond.

    Raises ValueError, in words for the client, outside the years 1 to 9999.
    """
    nanos = timestamp.nanos
    if not 0 <= nanos < _NANO:
        raise ValueError("nanos must be between 0 and 999999999")
    try:
        return _EPOCH + timedelta(0, timestamp.seconds, nanos // 1000)
    except OverflowError:
        raise ValueError("seconds must be within the years 1 to 9999") from None


def duration_values(duration: timedelta) -> dict[str, Any]:
    """A google.protobuf.Duration; seconds and nanos have the same sign."""
    seconds, rest = divmod(abs(duration // _MICROSECOND), 1_000_000)
    sign = -1 if duration < timedelta(0) else 1
    return {"seconds": sign * seconds, "nanos": sign * rest * 1000}


def from_duration(message: Any) -> timedelta:
    """To the microsecond. Raises ValueError for one that breaks the rules of google.protobuf.Duration."""
    seconds, nanos = message.seconds, message.nanos
    if not -_NANO < nanos < _NANO or seconds * nanos < 0:
        raise ValueError("nanos must be between -999999999 and 999999999, with the sign of the seconds")
    try:
        return timedelta(0, seconds, int(nanos / 1000))
    except OverflowError:
        raise ValueError("seconds must be within 10,000 years") from None


def date_values(day: date) -> dict[str, Any]:
    """A google.type.Date."""
    return {"year": day.year, "month": day.month, "day": day.day}


def from_date(message: Any) -> date:
    """Raises ValueError for a day that does not exist, or is not a whole date."""
    try:
        return date(message.year, message.month, message.day)
    except ValueError:
        raise ValueError("is not a day of the years 1 to 9999") from None
