"""The clients of domains: no field is forgotten, and each function is held to a contract by tests."""

import re
import runpy
import sys
from collections import namedtuple
from pathlib import Path
from types import ModuleType
from typing import Any, get_type_hints

import pytest

from framework import discovery
from framework.seam.conversions import ContractError, is_entity

CLIENTS = list(discovery.modules("client"))


def entities(client: ModuleType) -> list[type[tuple[Any, ...]]]:
    """What a domain's client converts."""
    return [kind for kind in vars(client).values() if isinstance(kind, type) and is_entity(kind) and of(client, kind)]


def of(client: ModuleType, kind: type) -> bool:
    return kind.__module__ == f"{client.__name__.rpartition('.')[0]}.entities"


def altered(kind: Any, **hints: Any) -> type[tuple[Any, ...]]:
    """A copy of the entity with other fields; a new one comes first, with a default if all have one."""
    defaults = {name: kind._field_defaults[name] for name in hints if name in kind._field_defaults}
    if len(kind._field_defaults) == len(kind._fields):
        defaults = dict.fromkeys(hints.keys() - kind._fields, next(iter(defaults.values()))) | defaults
    copy: Any = namedtuple(kind.__name__, hints, defaults=defaults.values(), module=kind.__module__)
    copy.__annotations__ = hints
    return copy


@pytest.mark.parametrize(
    ("client", "entity"), [(client.__name__, kind) for client in CLIENTS for kind in entities(client)]
)
def test_a_field_that_the_entity_or_the_contract_lacks_keeps_the_domain_from_starting(client, entity, monkeypatch):
    """The client's module is run again, over entities with one field more and one field less."""
    hints = get_type_hints(entity)
    changes = [("brand", {"brand": str} | hints)]
    changes += [(name, {key: hint for key, hint in hints.items() if key != name}) for name in hints if len(hints) > 1]

    monkeypatch.delitem(sys.modules, client)
    for field, fields in changes:
        monkeypatch.setattr(f"{entity.__module__}.{entity.__name__}", altered(entity, **fields))
        with pytest.raises(ContractError) as refused:
            runpy.run_module(client)
        assert f"'{field}'" in str(refused.value)
        assert entity.__module__.replace(".", "/") + ".py" in str(refused.value)
        assert ".proto" in str(refused.value)


def test_every_function_that_can_run_elsewhere_is_held_to_a_contract_by_tests():
    """What differs in process and over the wire shows only where the same test runs both ways."""
    assert {client.__name__: untested(client) for client in CLIENTS if untested(client)} == {}


def untested(client: ModuleType) -> list[str]:
    """The functions of a domain's client that its tests/test_contract.py does not call."""
    tests = Path(str(client.__file__)).parent / "tests" / "test_contract.py"
    text = tests.read_text() if tests.exists() else ""
    declared = [
        name for name, function in vars(client).items() if getattr(function, "__module__", "") == client.__name__
    ]
    return [name for name in declared if not name.startswith("_") and not re.search(rf"\.{name}\b", text)]


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
