"""Functions and methods of no domain: what travels, what is refused, and by which names."""

import inspect
from collections.abc import Sequence
from decimal import Decimal
from types import SimpleNamespace
from typing import NamedTuple

import pytest

from framework import context
from framework.actor import NOBODY, Actor, anyone
from framework.changes import UNSET, Unset, given
from framework.errors import InvalidArgument
from framework.pages import Keyset, Page
from framework.seam import remote
from framework.seam.client import Client
from framework.seam.conversions import ContractError
from framework.seam.method import Method
from framework.seam.server import Server
from framework.seam.tests.contracts import contract, message

USER = Actor(user_id=7)


class Thing(NamedTuple):
    id: int
    name: str
    price: Decimal
    currency: str
    brand: str | None
    version: int


class Draft(NamedTuple):
    name: str
    price: Decimal
    currency: str
    brand: str | None = None


class Changes(NamedTuple):
    name: str | Unset = UNSET
    price: Decimal | Unset = UNSET
    currency: str | Unset = UNSET
    brand: str | Unset | None = UNSET


class Part(NamedTuple):
    size: int


THING = {
    "id": "output_only int64",
    "name": "string",
    "price": "Money",
    "brand": "optional string",
    "version": "output_only int32",
}
MESSAGES = {
    "Thing": THING,
    "Part": {"size": "int32"},
    "Parts": {"thing_id": "int64", "parts": "repeated Part"},
    "GetRequest": {"thing_id": "int64"},
    "GetResponse": {"thing": "Thing"},
    "ManyRequest": {"thing_ids": "repeated int64"},
    "ManyResponse": {"things": "repeated Thing"},
    "PartsResponse": {"parts": "repeated Parts"},
    "ListRequest": {"page_size": "optional int32", "page_token": "string", "search": "string"},
    "ListResponse": {"things": "repeated Thing", "next_page_token": "string"},
    "CountRequest": {"search": "string"},
    "CountResponse": {"total": "int32"},
    "CreateRequest": {"thing": "Thing", "times": "optional int32"},
    "UpdateRequest": {"thing": "Thing", "update_mask": "FieldMask", "version": "int32"},
    "DeleteResponse": {},
}
READS, WRITES = "NO_SIDE_EFFECTS", "IDEMPOTENCY_UNKNOWN"
METHODS = {
    "GetThing": ("GetRequest", "GetResponse", READS),
    "BatchGetThings": ("ManyRequest", "ManyResponse", READS),
    "BatchGetParts": ("ManyRequest", "PartsResponse", READS),
    "ListThings": ("ListRequest", "ListResponse", READS),
    "CountThings": ("CountRequest", "CountResponse", READS),
    "CreateThing": ("CreateRequest", "GetResponse", WRITES),
    "UpdateThing": ("UpdateRequest", "GetResponse", WRITES),
    "DeleteThing": ("GetRequest", "DeleteResponse", WRITES),
}
pb = contract(MESSAGES, methods=METHODS)
CHAIR = Thing(7, "Chair", Decimal("19.90"), "EUR", None, 1)
THINGS = Keyset("things", "id", "oak")
DRAFT = Draft("Chair", Decimal("19.90"), "EUR")


def get_thing(thing_id: int) -> Thing: ...
def get_things(thing_ids: Sequence[int]) -> dict[int, Thing]: ...
def get_parts(thing_ids: Sequence[int]) -> dict[int, list[Part]]: ...
def list_things(*, first: int = 50, after: str = "", search: str = "") -> Page[Thing]: ...
def things_keyset(search: str) -> Keyset:
    return Keyset("things", "id", search)


def count_things(*, search: str = "") -> int: ...
def create_thing(actor: Actor, draft: Draft, *, times: int = 2) -> Thing: ...
def update_thing(actor: Actor, thing_id: int, version: int, changes: Changes) -> Thing: ...
def delete_thing(thing_id: int) -> None: ...


class ShopServiceStub:
    """Both ends without a network: `answers` are the servicer's methods."""

    answers: dict = {}

    def __getattr__(self, name):
        return lambda request: self.answers[name](None, type(request).FromString(request.SerializeToString()), None)


@pytest.fixture
def reach(monkeypatch):
    """The client's function, which reaches what stands in for the domain's; `asked` are its arguments."""
    stub = ShopServiceStub()
    monkeypatch.setattr(remote, "stub", lambda domain, contract, kind: stub)

    def made(name, declared, answer):
        asked = []

        def function(*args, **kwargs):
            asked.append((args, kwargs))
            result = answer(*args, **kwargs) if callable(answer) else answer
            if isinstance(result, Exception):
                raise result
            return result

        keyset = things_keyset if name == "ListThings" else None
        function.__signature__ = inspect.signature(declared)
        function.__annotations__ = declared.__annotations__
        stub.answers = {**stub.answers, name: Server(pb, "ShopService")(name, function, allow=anyone)}
        return SimpleNamespace(call=Client("shop", pb, ShopServiceStub)(name, keyset=keyset)(declared), asked=asked)

    return made


def refusal(function, *args, **kwargs):
    with pytest.raises(InvalidArgument) as refused:
        function(*args, **kwargs)
    return refused.value.fields


@pytest.mark.parametrize(
    ("name", "declared", "args", "kwargs", "answer"),
    [
        ("GetThing", get_thing, (7,), {}, CHAIR),
        ("CountThings", count_things, (), {"search": "oak"}, 5),
        ("ListThings", list_things, (), {"first": 2, "after": "t", "search": "oak"}, Page([CHAIR], "next", THINGS)),
        ("DeleteThing", delete_thing, (7,), {}, None),
        ("BatchGetThings", get_things, ([7, 8],), {}, {7: CHAIR}),
        ("BatchGetParts", get_parts, ([7, 8],), {}, {7: [Part(1), Part(2)], 8: []}),
    ],
)
def test_arguments_and_results_arrive_as_they_are(reach, name, declared, args, kwargs, answer):
    reached = reach(name, declared, answer)

    assert reached.call(*args, **kwargs) == answer
    ((_, arrived),) = reached.asked
    assert list(arrived.values()) == [*args, *kwargs.values()]


def test_an_argument_that_is_left_out_gets_the_default_of_the_function_that_answers(reach):
    reached = reach("ListThings", list_things, Page([], "", THINGS))
    request = message(pb, "ListRequest")()

    remote.stub("shop", pb, ShopServiceStub).ListThings(request)

    assert reached.asked == [((), {"first": 50, "after": "", "search": ""})]


def test_zero_is_told_from_what_is_left_out(reach):
    reached = reach("ListThings", list_things, Page([], "", THINGS))

    reached.call(first=0)

    assert reached.asked[0][1]["first"] == 0


def test_the_actor_travels_beside_the_request_and_nobody_as_a_visitor(reach):
    reached = reach("CreateThing", create_thing, CHAIR)

    for actor in (USER, NOBODY):
        assert reached.call(actor, DRAFT) == CHAIR

    assert [kwargs for _, kwargs in reached.asked] == [
        {"draft": DRAFT, "times": 2, "actor": USER},
        {"draft": DRAFT, "times": 2, "actor": Actor(for_visitor=True)},
    ]
    assert context.actor() == NOBODY


@pytest.mark.parametrize(
    "changes",
    [
        Changes(),
        Changes(name="Table"),
        Changes(brand=None),
        Changes(brand=""),
        Changes(price=Decimal("0.50")),
        Changes(currency="USD"),
        Changes("Table", Decimal(1), "USD", "ACME"),
    ],
)
def test_changes_arrive_as_they_were_given(reach, changes):
    reached = reach("UpdateThing", update_thing, CHAIR)

    reached.call(USER, 7, 3, changes)

    ((_, arrived),) = reached.asked
    assert arrived == {"thing_id": 7, "version": 3, "changes": changes, "actor": USER}
    assert given(arrived["changes"]) == given(changes)


def test_refusals_name_fields_as_the_message_does_and_for_callers_as_the_function_does(reach):
    names = {"draft": "a", "name": "b", "currency": "c", "price": "d", "times": "e", "7": "f"}
    reached = reach("CreateThing", create_thing, lambda **_: InvalidArgument("No.", fields=names))
    request = Method(create_thing, pb, "ShopService", "CreateThing").request(USER, DRAFT)

    assert refusal(reached.call, USER, DRAFT) == names
    assert refusal(remote.stub("shop", pb, ShopServiceStub).CreateThing, request) == {
        "thing": "a",
        "thing.name": "b",
        "thing.price.currency_code": "c",
        "thing.price": "d",
        "times": "e",
        "7": "f",
    }


def test_values_that_cannot_be_sent_are_refused_by_name_and_reach_nobody(reach):
    created, updated = reach("CreateThing", create_thing, CHAIR), reach("UpdateThing", update_thing, CHAIR)
    wrong = {"name": None, "price": Decimal("NaN")}
    fields = {"name": "None cannot be sent as string", "price": "NaN cannot be sent as google.type.Money"}

    assert refusal(created.call, USER, DRAFT._replace(**wrong), times=2**31) == fields | {
        "times": f"{2**31} cannot be sent as int32"
    }
    assert refusal(updated.call, USER, 7, 3, Changes(**wrong)) == fields
    assert created.asked == updated.asked == []


def test_a_batch_is_sent_in_parts_and_the_other_end_takes_no_more(reach, monkeypatch):
    reached = reach("BatchGetThings", get_things, lambda thing_ids: {key: CHAIR._replace(id=key) for key in thing_ids})
    request = Method(get_things, pb, "ShopService", "BatchGetThings").request(range(501))

    assert list(reached.call(range(1001))) == list(range(1001))
    assert [len(kwargs["thing_ids"]) for _, kwargs in reached.asked] == [500, 500, 1]
    assert reached.call([]) == {}
    assert refusal(remote.stub("shop", pb, ShopServiceStub).BatchGetThings, request) == {
        "thing_ids": "must have 0 to 500 elements, not 501"
    }


def drifted(thing_id: int, colour: str) -> Thing: ...
def renamed(thing: int) -> Thing: ...
def retyped(thing_id: str) -> Thing: ...
def defaulted(*, search: str = "oak") -> int: ...
def unpaged(*, first: int = 50, after: str = "", search: str = "") -> list[Thing]: ...
def by_default(actor: Actor, thing_id: int, version: int, changes: Draft) -> Thing: ...


@pytest.mark.parametrize(
    ("name", "function", "problem"),
    [
        ("GetThing", drifted, "the message has no field 'colour'"),
        ("GetThing", renamed, "renamed has no parameter 'thing_id', which the message has"),
        ("GetThing", retyped, "'thing_id' is str here and int64 in the message"),
        ("GetThing", count_things, "count_things has no parameter 'thing_id'"),
        ("CountThings", defaulted, "'search' defaults to 'oak' here: make it `optional`"),
        ("ListThings", unpaged, "the response must have one field"),
        ("UpdateThing", by_default, "'name' must default to UNSET"),
        ("Gone", get_thing, "has no method ShopService.Gone"),
    ],
)
def test_a_function_that_drifts_from_its_method_is_refused_when_it_is_declared(name, function, problem):
    for declare in (
        lambda: Client("shop", pb, ShopServiceStub)(name)(function),
        lambda: Server(pb, "ShopService")(name, function, allow=anyone),
    ):
        with pytest.raises(ContractError, match=problem):
            declare()


def test_a_wrong_call_is_pythons_own_error(reach):
    reached = reach("GetThing", get_thing, CHAIR)

    with pytest.raises(TypeError, match="missing 1 required positional argument: 'thing_id'"):
        reached.call()
    with pytest.raises(TypeError, match="unexpected keyword argument 'colour'"):
        reached.call(7, colour="red")
