"""Entities and messages of no domain: what converts, and what is refused when it is declared."""

import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

import pytest

from framework.seam.codec import codec
from framework.seam.conversions import ContractError
from framework.seam.links import Invalid
from framework.seam.tests.contracts import contract, message


class Colour(StrEnum):
    RED = "red"
    DARK_BLUE = "dark-blue"


class Part(NamedTuple):
    name: str
    weight: Decimal


class Thing(NamedTuple):
    id: int
    name: str
    share: float
    seal: bytes
    is_new: bool
    colour: Colour
    price: Decimal
    tax: Decimal
    currency: str
    made_at: datetime
    day: date
    lasts: timedelta
    part: Part
    parts: tuple[Part, ...]
    numbers: list[int]
    colours: tuple[Colour, ...]
    note: str | None
    spare: Part | None
    sold_at: datetime | None


COLOURS = {"Colour": ["COLOUR_UNSPECIFIED", "COLOUR_RED", "COLOUR_DARK_BLUE"]}
FIELDS = {
    "Part": {"name": "string", "weight": "Decimal"},
    "Thing": {
        "id": "int64",
        "name": "string",
        "share": "double",
        "seal": "bytes",
        "is_new": "bool",
        "colour": "Colour",
        "price": "Money",
        "tax": "Money",
        "made_at": "Timestamp",
        "day": "Date",
        "lasts": "Duration",
        "part": "Part",
        "parts": "repeated Part",
        "numbers": "repeated int32",
        "colours": "repeated Colour",
        "note": "optional string",
        "spare": "Part",
        "sold_at": "Timestamp",
    },
}
pb = contract(FIELDS, COLOURS)
THING, PART = message(pb, "Thing"), message(pb, "Part")
CODEC = codec(Thing, THING)
NOW = datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)
PLUG = Part("plug", Decimal("0.250"))
FULL = Thing(
    2**62,
    "Öl",
    0.5,
    b"\0\xff",
    True,
    Colour.DARK_BLUE,
    Decimal("-19.90"),
    Decimal("0.07"),
    "EUR",
    NOW,
    date(2026, 2, 28),
    timedelta(days=-1, microseconds=3),
    PLUG,
    (PLUG, PLUG),
    [1, -2],
    (Colour.RED,),
    "",
    PLUG,
    NOW,
)
BARE = FULL._replace(parts=(), numbers=[], colours=(), note=None, spare=None, sold_at=None)


def fits(entity, fields, enums=None, **others):
    return codec(entity, message(contract({"Thing": fields} | others, enums), "Thing"))


@pytest.mark.parametrize("thing", [FULL, BARE])
def test_entities_survive_the_wire_unchanged(thing):
    sent = CODEC.message(thing).SerializeToString()
    found = CODEC.entity(THING.FromString(sent))

    assert found == thing
    assert [type(value) for value in found] == [type(value) for value in thing]
    assert type(found) is Thing


def test_none_is_told_from_an_empty_text():
    assert CODEC.message(FULL).HasField("note")
    assert not CODEC.message(BARE).HasField("note")


@pytest.mark.parametrize(
    ("entity", "fields", "problem"),
    [
        ({"brand": str}, {}, "Made .*test_codec.py.* and shop.*Thing .*proto.*: the message has no field 'brand'"),
        ({}, {"brand": "string"}, "Made has no 'brand', which the message has"),
        ({"brand": str}, {"brand": "int32"}, "'brand' is str here and int32 in the message"),
        ({"brand": int}, {"brand": "bool"}, "'brand' is int here and bool in the message"),
        ({"brand": str}, {"brand": "bytes"}, "'brand' is str here and bytes in the message"),
        ({"brand": str}, {"brand": "repeated string"}, "'brand' is str here and repeated string in the message"),
        ({"brand": list[str]}, {"brand": "string"}, "'brand' is .*list.* here and string in the message"),
        ({"brand": str | None}, {"brand": "string"}, "'brand' may be None: make it `optional`"),
        ({"made": date}, {"made": "Timestamp"}, "'made' is date here and google.protobuf.Timestamp in the message"),
        ({"price": Decimal}, {"price": "Money"}, "'price' needs its currency"),
        ({"part": Part}, {"part": "Money"}, "Part .* and google.type.Money .*: Part has no 'currency_code'"),
        ({"colour": Colour}, {"colour": "Other"}, "must have the same members; .* OTHER_DARK_BLUE"),
    ],
)
def test_what_does_not_fit_is_refused_when_it_is_declared(entity, fields, problem):
    made = NamedTuple("Made", [("id", int), *entity.items()])

    with pytest.raises(ContractError, match=problem):
        fits(made, {"id": "int64"} | fields, {"Other": ["OTHER_UNSPECIFIED", "OTHER_RED"]})


def test_a_field_that_is_added_on_one_side_only_is_named_with_both_files():
    more = NamedTuple("Thing", [*Thing.__annotations__.items(), ("brand", str)])

    with pytest.raises(ContractError) as of_the_message:
        codec(more, THING)
    with pytest.raises(ContractError) as of_the_entity:
        longer = contract({**FIELDS, "Thing": FIELDS["Thing"] | {"brand": "string"}}, COLOURS)
        codec(Thing, message(longer, "Thing"))

    here = "Thing (framework/seam/tests/test_codec.py)"
    assert str(of_the_message.value) == (
        f"{here} and {pb.package}.Thing ({pb.name}): the message has no field 'brand': its value would be lost."
    )
    assert str(of_the_entity.value) == (
        f"{here} and {longer.package}.Thing ({longer.name}): Thing has no 'brand', which the message has."
    )


class Draft(NamedTuple):
    name: str
    colour: Colour = Colour.RED
    stock: int = 5


def test_what_is_left_out_gets_its_default():
    made = fits(Draft, {"name": "string", "colour": "Colour", "stock": "optional int32"}, COLOURS)

    assert made.entity(message_of(made)(name="n")) == Draft("n")
    assert made.entity(message_of(made)(name="n", stock=0)) == Draft("n", stock=0)
    with pytest.raises(ContractError, match="'stock' defaults to 5 here: make it `optional` in the message"):
        fits(Draft, {"name": "string", "colour": "Colour", "stock": "int32"}, COLOURS)


def message_of(made):
    return type(made.message(Draft("n")))


def test_money_may_be_missing_where_the_contract_says_so():
    class Bill(NamedTuple):
        total: Decimal
        currency: str

    pending, paid = Bill(Decimal("0.00"), ""), Bill(Decimal("3.50"), "EUR")
    made = fits(Bill, {"total": "optional_money Money"})

    assert not made.message(pending).HasField("total")
    assert [made.entity(made.message(bill)) for bill in (pending, paid)] == [pending, paid]
    with pytest.raises(Invalid) as refused:
        fits(Bill, {"total": "Money"}).entity(message(contract({"Thing": {"total": "Money"}}), "Thing")())
    assert refused.value.fields == {"total": "is required"}


def test_every_value_that_cannot_be_read_is_named_by_its_path():
    sent = CODEC.message(FULL)
    sent.ClearField("made_at")
    sent.price.nanos = 10**9
    sent.tax.currency_code = "USD"
    sent.colour = 99
    sent.part.weight.value = "much"

    with pytest.raises(Invalid) as refused:
        CODEC.entity(sent)

    assert refused.value.fields == {
        "price": "nanos must be between -999999999 and 999999999",
        "tax": "must be in EUR, as the others are",
        "made_at": "is required",
        "colour": "99 is not one of COLOUR_RED, COLOUR_DARK_BLUE",
        "part.weight": "is not a decimal number",
    }


def test_every_value_that_cannot_be_sent_is_named():
    wrong = FULL._replace(id=2**63, name=7, price=Decimal("NaN"), colour="green", made_at=datetime(2026, 1, 1))

    with pytest.raises(Invalid) as refused:
        CODEC.message(wrong)

    assert refused.value.fields == {
        "id": f"{2**63} cannot be sent as int64",
        "name": "7 cannot be sent as string",
        "price": "NaN cannot be sent as google.type.Money",
        "colour": f"green cannot be sent as {pb.package}.Colour",
        "made_at": "2026-01-01 00:00:00 cannot be sent as google.protobuf.Timestamp",
    }


def test_a_sequence_is_read_as_a_list():
    class Many(NamedTuple):
        parts: Sequence[Part]

    made = fits(Many, {"parts": "repeated Part"}, Part=FIELDS["Part"])

    assert made.entity(made.message(Many((PLUG,)))) == Many([PLUG])


def test_the_seam_needs_no_django():
    program = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("django", "structlog", "grpc_status", "django_grpc_framework"):
            raise ImportError(name)
sys.meta_path.insert(0, Refuse())
import framework.changes, framework.seam.codec, framework.seam.fakes, framework.seam.method, framework.seam.server
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30)

    assert done.returncode == 0, done.stderr
