"""What every domain has to keep to so that it can move out, and so that no caller sees it move."""

import inspect
import re
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, NamedTuple, get_type_hints

import pytest
from django.apps import apps
from django.db import models, transaction
from django.db.models import QuerySet
from django.test.utils import isolate_apps

from framework import discovery
from framework.actor import Actor
from framework.pages import Keyset, Page
from framework.testing.seam import conforms, is_value

PUBLIC = list(discovery.modules("public"))

KEYSET = Keyset("things", "id")


def functions(public: ModuleType) -> dict[str, Callable[..., Any]]:
    found = {name: getattr(public, name) for name in public.__all__}
    return {name: function for name, function in found.items() if inspect.isfunction(function)}


def moving(writes_only: bool = False) -> list[Any]:
    """Each function of a domain that can run elsewhere, with what stands for it then."""
    return [pytest.param(*pair, id=pair[0].__name__) for pair in _pairs() if not (writes_only and reads(pair[0]))]


def reads(function: Callable[..., Any]) -> bool:
    return function.__name__.startswith(("get_", "list_", "count_"))


def _pairs() -> Iterator[tuple[Any, Any]]:
    for client in discovery.modules("client"):
        package = client.__name__.rpartition(".")[0]
        for name, function in functions(import_module(f"{package}.public")).items():
            if not function.__module__.endswith(".entities"):
                yield function, getattr(client, name, None)


def uncrossable(function: Callable[..., Any]) -> list[str]:
    """What of a function's signature cannot cross the seam."""
    hints = get_type_hints(function)
    names = [*inspect.signature(function).parameters, "return"]
    missing = [f"{name} has no type" for name in names if name not in hints]
    return missing + [f"{name}: {hint} is no value" for name, hint in hints.items() if not is_value(hint)]


def without_batch(public: ModuleType) -> list[str]:
    """Reads of one thing by its id that GraphQL could only repeat for each row of a list.

    What an actor is asked of is a use case, not a thing that belongs to another.
    """
    found = functions(public)
    wrong = []
    for name, function in found.items():
        parameters = list(inspect.signature(function).parameters)
        if not name.startswith("get_") or len(parameters) != 1 or not parameters[0].endswith("_id"):
            continue
        batch = found.get(f"{name}s")
        hints = get_type_hints(batch) if batch else {}
        thing = get_type_hints(function)["return"]
        expected = {f"{parameters[0]}s": Sequence[int], "return": dict[int, thing]}
        if hints != expected:
            wrong.append(f"{name} needs {name}s({parameters[0]}s: Sequence[int]), which returns a dict by id")
    return wrong


def crossing_relations(tables: Sequence[type[models.Model]]) -> list[str]:
    """Relations between tables of two of our domains: one of them may have to live in another database."""
    return [
        f"{model._meta.label}.{field.name}"
        for model in tables
        for field in model._meta.get_fields()
        if field.is_relation and not field.auto_created and isinstance(field.related_model, type)
        if _is_ours(model) and _is_ours(field.related_model)
        if model._meta.app_label != field.related_model._meta.app_label
    ]


def _is_ours(model: type[models.Model]) -> bool:
    return not model.__module__.startswith(("django.", "django_"))


def nothing_for(function: Callable[..., Any]) -> dict[str, None]:
    """Arguments that could not be used: a guard that comes first does not look at them."""
    return dict.fromkeys(inspect.signature(function).parameters)


def test_only_values_cross_the_seam():
    found = {
        f"{public.__name__}.{name}": uncrossable(function)
        for public in PUBLIC
        for name, function in functions(public).items()
    }

    assert len(found) > 2
    assert {name: problems for name, problems in found.items() if problems} == {}


def test_all_that_is_public_is_a_function_or_a_value():
    others = [
        f"{public.__name__}.{name}"
        for public in PUBLIC
        for name in public.__all__
        if name not in functions(public) and not is_value(getattr(public, name))
    ]

    assert others == []


@pytest.mark.parametrize(("here", "elsewhere"), moving())
def test_a_function_looks_the_same_wherever_its_domain_runs(here, elsewhere):
    assert elsewhere is not None
    assert inspect.signature(here) == inspect.signature(elsewhere)
    assert get_type_hints(here) == get_type_hints(elsewhere)


@pytest.mark.django_db
@pytest.mark.parametrize(("here", "elsewhere"), moving(writes_only=True))
def test_what_is_no_read_by_its_name_refuses_to_be_part_of_the_callers_transaction(here, elsewhere):
    for function in (here, elsewhere):
        with transaction.atomic(), pytest.raises(RuntimeError, match="must not stand inside of a transaction"):
            function(**nothing_for(function))


def test_things_are_got_one_by_one_and_many_at_once():
    assert {public.__name__: without_batch(public) for public in PUBLIC if without_batch(public)} == {}


def test_no_table_points_into_another_domain():
    assert crossing_relations(apps.get_models()) == []


def test_no_query_joins_tables_of_another_domain():
    """By name, as there is no relation to go along: only a domain's own code may name its tables."""
    tables = {table._meta.db_table: table._meta.app_label for table in apps.get_models() if _is_ours(table)}
    named = [
        f"{path.relative_to(path.parents[1])}: {table}"
        for label in sorted(set(tables.values()))
        for path in sorted(_folder(label).rglob("*.py"))
        if "tests" not in path.parts
        for table in re.findall(r"\b[a-z]+_[a-z]+\b", path.read_text())
        if tables.get(table, label) != label
    ]

    assert named == []


def _folder(label: str) -> Path:
    return Path(apps.get_app_config(label).path)


# The guards themselves: what each of them finds.


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


@isolate_apps("framework.queue", "apps.accounts")
def test_the_guard_of_relations_finds_a_foreign_key():
    class Owner(models.Model):  # noqa: DJ008
        class Meta:
            app_label = "accounts"

    class Owned(models.Model):  # noqa: DJ008
        owner = models.ForeignKey(Owner, models.CASCADE)
        friends = models.ManyToManyField(Owner, related_name="+")
        parent = models.ForeignKey("self", models.CASCADE)

        class Meta:
            app_label = "queue"

    assert crossing_relations([Owner, Owned]) == ["queue.Owned.owner", "queue.Owned.friends"]
