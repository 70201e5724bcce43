"""What each rule of the seam finds."""

from collections.abc import Sequence
from decimal import Decimal
from enum import StrEnum
from types import ModuleType, SimpleNamespace
from typing import Any, NamedTuple, get_type_hints

import pytest
from django.db import models
from django.db.models import QuerySet
from django.test.utils import isolate_apps

from framework.actor import Actor
from framework.pages import Keyset, Page
from framework.testing.rules import crossing_relations, uncrossable, untested, users_without_hooks, without_batch
from framework.testing.seam import conforms, is_value, via
from framework.tests.library import models as library
from framework.tests.library import public

KEYSET = Keyset("things", "id")


class Colour(StrEnum):
    RED = "red"


class Thing(NamedTuple):
    id: int
    colour: Colour
    prices: tuple[Decimal, ...]
    page: Page[int] | None


class Untyped(NamedTuple):
    value: Any


def a(
    actor: Actor, things: Sequence[Thing], *, keyset: Keyset, flag: bool = False
) -> Page[Thing] | dict[int, list[Thing]] | None: ...
def b(thing: models.Model, rows: "QuerySet[Any]", value: Any, many: list, odd: set[int]) -> Untyped: ...
def c(x, y: int): ...


def test_the_guard_of_types_lets_values_pass_and_nothing_else():
    hints = get_type_hints(b)

    assert uncrossable(a) == []
    assert [problem.partition(":")[0] for problem in uncrossable(b)] == [*hints]
    assert uncrossable(c) == ["x has no type", "return has no type"]
    assert is_value(Page[Thing])
    assert not is_value(Page[models.Model])


def test_the_guard_of_results_looks_at_every_field():
    thing = Thing(1, Colour.RED, (Decimal(1),), None)

    assert conforms(thing, Thing)
    assert conforms({1: [thing]}, dict[int, list[Thing]])
    assert conforms(Page([thing._replace(page=Page([1], "", KEYSET))], "", KEYSET), Page[Thing])
    for wrong in (
        thing._replace(colour="red"),
        thing._replace(prices=(1,)),
        thing._replace(page=SimpleNamespace()),
        thing._replace(page=Page(["1"], "", KEYSET)),
        tuple(thing),
        None,
    ):
        assert not conforms(wrong, Thing)
        assert not conforms([wrong], list[Thing])
        assert not conforms(Page([wrong], "", KEYSET), Page[Thing])


def test_the_guard_of_batches_misses_no_function():
    def get_thing(thing_id: int) -> Thing: ...
    def get_things(thing_ids: Sequence[int]) -> dict[int, Thing]: ...
    def get_others(thing_ids: Sequence[int]) -> list[Thing]: ...
    def get_other(thing_id: int) -> Thing: ...
    def get_alone(thing_id: int) -> Thing: ...
    def get_own(actor: Actor, thing_id: int) -> Thing: ...

    found = {
        function.__name__: function for function in (get_thing, get_things, get_others, get_other, get_alone, get_own)
    }
    module = ModuleType("public")
    vars(module).update(found, __all__=list(found))

    assert without_batch(module) == [
        "get_other needs get_others(thing_ids: Sequence[int]), which returns a dict by id",
        "get_alone needs get_alones(thing_ids: Sequence[int]), which returns a dict by id",
    ]


def test_the_guard_of_contract_tests_misses_no_function(tmp_path):
    def get_thing() -> None: ...
    def get_other() -> None: ...

    client = ModuleType("shop.client")
    vars(client).update(get_thing=get_thing, get_other=get_other, _helper=get_thing, __file__=tmp_path / "client.py")
    get_thing.__module__ = get_other.__module__ = "shop.client"

    assert untested(client) == ["get_thing", "get_other"]
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_contract.py").write_text("shop.get_thing(7)")
    assert untested(client) == ["get_other"]


@isolate_apps("framework.queue", "framework.tests.library")
def test_the_guard_of_relations_finds_a_foreign_key():
    class Owner(models.Model):  # noqa: DJ008
        class Meta:
            app_label = "library"

    class Owned(models.Model):  # noqa: DJ008
        owner = models.ForeignKey(Owner, models.CASCADE)
        friends = models.ManyToManyField(Owner, related_name="+")
        parent = models.ForeignKey("self", models.CASCADE)

        class Meta:
            app_label = "queue"

    assert crossing_relations([Owner, Owned]) == ["queue.Owned.owner", "queue.Owned.friends"]


def test_the_domain_of_these_tests_keeps_the_rules():
    assert [uncrossable(getattr(public, name)) for name in ("add_book", "get_book", "get_books")] == [[], [], []]
    assert without_batch(public) == []


def test_a_function_that_answers_something_else_than_it_declares_is_caught(monkeypatch):
    def get_book(book_id: int) -> public.Book:
        return library.Book(title="A")

    def count_books() -> int:
        return "3"

    module = SimpleNamespace(get_book=get_book, count_books=count_books)
    monkeypatch.setattr("framework.testing.seam.import_module", lambda name: module)

    with via("framework.tests.library", "direct") as books:
        with pytest.raises(AssertionError, match="get_book answered <Book: A>"):
            books.get_book(5)
        with pytest.raises(AssertionError, match="count_books answered '3', which is no <class 'int'>"):
            books.count_books()


@pytest.mark.parametrize(
    ("help_text", "problems"),
    [
        ("", ["library.Note.author_id: say whose id it is in its help_text"]),
        ("Of accounts.", [f"library.Note.author_id: library.public needs {hook}_user" for hook in ("erase", "export")]),
        ("Of the catalog.", []),
    ],
)
@isolate_apps("framework.tests.library")
def test_an_id_of_a_user_asks_for_the_hooks(help_text, problems):
    class Note(models.Model):  # noqa: DJ008
        author_id = models.BigIntegerField(help_text=help_text)

        class Meta:
            app_label = "library"

    assert users_without_hooks([Note]) == problems
