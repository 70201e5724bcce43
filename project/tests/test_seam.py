"""The rules that let a domain move out without its callers noticing, applied to every domain."""

import inspect
import re
import runpy
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from django.apps import apps
from django.db import transaction

from framework import discovery
from framework.seam.conversions import ContractError
from framework.testing.rules import (
    altered,
    crossing_relations,
    entities,
    functions,
    is_ours,
    pairs,
    reads,
    uncrossable,
    untested,
    users_without_hooks,
    without_batch,
)
from framework.testing.seam import is_value

PUBLIC = list(discovery.modules("public"))
CLIENTS = list(discovery.modules("client"))


def moving(found: Iterable[tuple[Any, Any]]) -> list[Any]:
    return [pytest.param(*pair, id=pair[0].__name__) for pair in found]


def nothing_for(function: Callable[..., Any]) -> dict[str, None]:
    """Arguments of no use: the rule refuses the call before it looks at them."""
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


@pytest.mark.parametrize(("here", "elsewhere"), moving(pairs()))
def test_a_function_looks_the_same_wherever_its_domain_runs(here, elsewhere):
    assert elsewhere is not None
    assert inspect.signature(here) == inspect.signature(elsewhere)
    assert get_type_hints(here) == get_type_hints(elsewhere)


def changed(entity: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """A field, and the entity's fields with it or without it."""
    hints = get_type_hints(entity)
    yield "brand", {"brand": str} | hints
    yield from ((left_out, {name: hints[name] for name in hints if name != left_out}) for left_out in hints)


@pytest.mark.parametrize(("client", "entity"), [(client, kind) for client in CLIENTS for kind in entities(client)])
def test_a_field_that_the_entity_or_the_contract_lacks_keeps_the_domain_from_starting(client, entity, monkeypatch):
    """The client's module is run again, over entities with one field more and one field less."""
    monkeypatch.delitem(sys.modules, client.__name__)
    for field, hints in changed(entity):
        monkeypatch.setattr(f"{entity.__module__}.{entity.__name__}", altered(entity, hints))
        with pytest.raises(ContractError) as refused:
            runpy.run_module(client.__name__)
        assert f"'{field}'" in str(refused.value)
        assert entity.__module__.replace(".", "/") + ".py" in str(refused.value)
        assert ".proto" in str(refused.value)


def test_every_function_that_can_run_elsewhere_is_called_by_its_domains_contract_tests():
    """What differs between in process and over the wire shows only where the same test runs both ways."""
    assert {client.__name__: untested(client) for client in CLIENTS if untested(client)} == {}


@pytest.mark.django_db
@pytest.mark.parametrize(("here", "elsewhere"), moving(pair for pair in pairs() if not reads(pair[0])))
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
    tables = {table._meta.db_table: table._meta.app_label for table in apps.get_models() if is_ours(table)}
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


def test_a_domain_that_stores_a_users_id_erases_and_exports_users():
    assert users_without_hooks(apps.get_models()) == []
