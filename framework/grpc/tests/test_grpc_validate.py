from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from google.protobuf.descriptor_pb2 import MethodOptions
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.timestamp_pb2 import Timestamp
from google.type.money_pb2 import Money
from hypothesis import given
from hypothesis import strategies as st

from framework.errors import InvalidArgument
from framework.grpc.convert import from_money, from_timestamp, to_money, to_timestamp
from framework.grpc.validate import Violations, renamed


def complaints(use):
    """What a use of Violations finds, by field."""
    with pytest.raises(InvalidArgument) as refused, Violations() as check:
        use(check)
    return refused.value.fields


def test_all_bad_fields_are_named_at_once():
    def use(check):
        check.required("sku", "")
        check.length("name", "x" * 201, most=200)
        check.length("ids", [1, 2, 3], least=1, most=2)
        check.within("page_size", -1, 0, 500)

    assert complaints(use) == {
        "sku": "is required",
        "name": "must have 0 to 200 characters, not 201",
        "ids": "must have 1 to 2 elements, not 3",
        "page_size": "must be between 0 and 500",
    }


def test_the_first_complaint_about_a_field_counts():
    def use(check):
        check.required("sku", "")
        check.length("sku", "", least=1, most=40)

    assert complaints(use) == {"sku": "is required"}


def test_a_good_request_passes():
    with Violations() as check:
        check.required("sku", "A")
        check.length("name", "é" * 200, most=200)
        check.within("page_size", 500, 0, 500)
        check.enum("level", MethodOptions.IdempotencyLevel, 1)
        assert check.mask("mask", FieldMask(paths=["name", "sku", "name"]), ("sku", "name")) == ("name", "sku")
        assert check.money("price", Money(currency_code="EUR", units=1)) == (Decimal(1), "EUR")
        assert check.moment("at", Timestamp(seconds=0)) == datetime(1970, 1, 1, tzinfo=UTC)


def test_another_error_is_not_hidden_by_complaints():
    def use(check):
        check.required("sku", "")
        raise KeyError

    with pytest.raises(KeyError), Violations() as check:
        use(check)


def test_an_unknown_enum_value_is_named():
    assert complaints(lambda check: check.enum("level", MethodOptions.IdempotencyLevel, 99)) == {
        "level": "99 is not one of IDEMPOTENCY_UNKNOWN, NO_SIDE_EFFECTS, IDEMPOTENT"
    }


@pytest.mark.parametrize(
    ("paths", "complaint"),
    [
        ([], "is required"),
        (["id"], "id cannot be changed; allowed: name, sku"),
        (["sku", "stock.x", "id"], "id, stock.x cannot be changed; allowed: name, sku"),
    ],
)
def test_an_invalid_mask_is_refused(paths, complaint):
    assert complaints(lambda check: check.mask("mask", FieldMask(paths=paths), ("sku", "name"))) == {"mask": complaint}


@pytest.mark.parametrize(
    ("money", "complaint"),
    [
        (Money(units=1), "currency_code must be three capital letters (ISO 4217)"),
        (Money(currency_code="eur", units=1), "currency_code must be three capital letters (ISO 4217)"),
        (Money(currency_code="EUR", nanos=1_000_000_000), "nanos must be between -999999999 and 999999999"),
        (Money(currency_code="EUR", units=1, nanos=-1), "units and nanos must have the same sign"),
        (Money(currency_code="EUR", units=-1, nanos=1), "units and nanos must have the same sign"),
    ],
)
def test_invalid_money_is_refused(money, complaint):
    assert complaints(lambda check: check.money("price", money)) == {"price": complaint}


@pytest.mark.parametrize(
    ("timestamp", "complaint"),
    [
        (Timestamp(nanos=-1), "nanos must be between 0 and 999999999"),
        (Timestamp(seconds=10**12), "seconds must be within the years 1 to 9999"),
        (Timestamp(seconds=-(2**63)), "seconds must be within the years 1 to 9999"),
    ],
)
def test_an_invalid_timestamp_is_refused(timestamp, complaint):
    assert complaints(lambda check: check.moment("at", timestamp)) == {"at": complaint}


@pytest.mark.parametrize(
    ("amount", "units", "nanos"),
    [("0", 0, 0), ("12.50", 12, 500_000_000), ("-0.01", 0, -10_000_000), ("99999999.999999999", 99999999, 999999999)],
)
def test_money_is_exact(amount, units, nanos):
    money = to_money(Decimal(amount), "EUR")

    assert (money.units, money.nanos, money.currency_code) == (units, nanos, "EUR")
    assert from_money(money) == (Decimal(amount), "EUR")


def test_money_reads_as_the_database_writes_it():
    assert [str(from_money(to_money(Decimal(text), "EUR"))[0]) for text in ("12.50", "3.00", "0.001")] == [
        "12.50",
        "3.00",
        "0.001",
    ]


@given(st.decimals(min_value=-(10**15), max_value=10**15, places=9))
def test_money_survives_the_way_there_and_back(amount):
    assert from_money(to_money(amount, "JPY")) == (amount, "JPY")


def test_more_decimals_than_money_has_are_refused():
    with pytest.raises(ValueError, match="more than nine decimals"):
        to_money(Decimal("0.0000000001"), "EUR")


@given(st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=45))])))
def test_moments_survive_the_way_there_and_back(moment):
    assert from_timestamp(to_timestamp(moment)) == moment


def test_a_moment_without_a_time_zone_is_refused():
    with pytest.raises(ValueError, match="no time zone"):
        to_timestamp(datetime(2025, 1, 1))


def test_fields_get_the_names_the_contract_has_for_them():
    with pytest.raises(InvalidArgument) as refused, renamed({"after": "page_token"}):
        raise InvalidArgument("No.", fields={"after": "bad", "sku": "bad"})

    assert refused.value.fields == {"page_token": "bad", "sku": "bad"}
