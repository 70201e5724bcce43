from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from google.type.date_pb2 import Date
from google.type.decimal_pb2 import Decimal as Number
from google.type.money_pb2 import Money
from hypothesis import given
from hypothesis import strategies as st

from framework.grpc.convert import (
    date_values,
    decimal_values,
    duration_values,
    from_date,
    from_decimal,
    from_duration,
    from_money,
    from_timestamp,
    money_values,
    timestamp_values,
)


@pytest.mark.parametrize(
    ("money", "complaint"),
    [
        (Money(currency_code="EUR", nanos=1_000_000_000), "nanos must be between -999999999 and 999999999"),
        (Money(currency_code="EUR", units=1, nanos=-1), "units and nanos must have the same sign"),
        (Money(currency_code="EUR", units=-1, nanos=1), "units and nanos must have the same sign"),
    ],
)
def test_invalid_money_is_refused(money, complaint):
    with pytest.raises(ValueError, match=complaint):
        from_money(money)


@pytest.mark.parametrize(
    ("timestamp", "complaint"),
    [
        (Timestamp(nanos=-1), "nanos must be between 0 and 999999999"),
        (Timestamp(seconds=10**12), "seconds must be within the years 1 to 9999"),
        (Timestamp(seconds=-(2**63)), "seconds must be within the years 1 to 9999"),
    ],
)
def test_an_invalid_timestamp_is_refused(timestamp, complaint):
    with pytest.raises(ValueError, match=complaint):
        from_timestamp(timestamp)


@pytest.mark.parametrize(
    ("duration", "complaint"),
    [
        (Duration(seconds=1, nanos=-1), "with the sign of the seconds"),
        (Duration(nanos=1_000_000_000), "nanos must be between"),
        (Duration(seconds=2**62), "within 10,000 years"),
    ],
)
def test_an_invalid_duration_is_refused(duration, complaint):
    with pytest.raises(ValueError, match=complaint):
        from_duration(duration)


@pytest.mark.parametrize("day", [Date(), Date(year=2025, month=2), Date(year=2025, month=2, day=30)])
def test_an_invalid_date_is_refused(day):
    with pytest.raises(ValueError, match="is not a day of the years 1 to 9999"):
        from_date(day)


@pytest.mark.parametrize("text", ["", "one", "NaN", "Infinity"])
def test_an_invalid_decimal_is_refused(text):
    with pytest.raises(ValueError, match=r"is not a (decimal|finite) number"):
        from_decimal(Number(value=text))


@pytest.mark.parametrize(
    ("amount", "units", "nanos"),
    [("0", 0, 0), ("12.50", 12, 500_000_000), ("-0.01", 0, -10_000_000), ("99999999.999999999", 99999999, 999999999)],
)
def test_money_is_exact(amount, units, nanos):
    money = Money(**money_values(Decimal(amount), "EUR"))

    assert (money.units, money.nanos, money.currency_code) == (units, nanos, "EUR")
    assert from_money(money) == Decimal(amount)


def test_money_reads_as_the_database_writes_it():
    texts = ["12.50", "3.00", "0.001"]

    assert [str(from_money(Money(**money_values(Decimal(text), "EUR")))) for text in texts] == texts


@given(st.decimals(min_value=-(10**15), max_value=10**15, places=9))
def test_money_survives_the_way_there_and_back(amount):
    assert from_money(Money(**money_values(amount, "JPY"))) == amount


def test_more_decimals_than_money_has_are_refused():
    with pytest.raises(ValueError, match="more than nine decimals"):
        money_values(Decimal("0.0000000001"), "EUR")


@given(st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=45))])))
def test_moments_survive_the_way_there_and_back(moment):
    assert from_timestamp(Timestamp(**timestamp_values(moment))) == moment


def test_a_moment_without_a_time_zone_is_refused():
    with pytest.raises(ValueError, match="no time zone"):
        timestamp_values(datetime(2025, 1, 1))


@given(st.timedeltas())
def test_durations_survive_the_way_there_and_back(duration):
    message = Duration(**duration_values(duration))

    assert from_duration(message) == duration
    assert message.seconds * message.nanos >= 0


@given(st.dates())
def test_days_survive_the_way_there_and_back(day):
    assert from_date(Date(**date_values(day))) == day


@given(st.decimals(allow_nan=False, allow_infinity=False))
def test_decimals_survive_the_way_there_and_back(number):
    assert from_decimal(Number(**decimal_values(number))) == number
