"""The rules of the seam, as functions that find what breaks them: a domain that keeps them can move out unnoticed.

The product's tests apply them to all of its domains.
"""

import inspect
import re
from collections import namedtuple
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any, get_type_hints

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import models

from framework import discovery
from framework.seam.conversions import is_entity
from framework.testing.seam import is_value

Function = Callable[..., Any]


def functions(public: ModuleType) -> dict[str, Function]:
    """The functions that a module's `__all__` names."""
    found = {name: getattr(public, name) for name in public.__all__}
    return {name: function for name, function in found.items() if inspect.isfunction(function)}


def reads(function: Function) -> bool:
    """Whether the function changes nothing, by its name."""
    return function.__name__.startswith(("get_", "list_", "count_", "export_"))


def pairs() -> Iterator[tuple[Function, Function | None]]:
    """Each public function of a domain that can run elsewhere, with the one of its client; None where that lacks it."""
    for client in discovery.modules("client"):
        package = client.__name__.rpartition(".")[0]
        for name, function in functions(import_module(f"{package}.public")).items():
            if not function.__module__.endswith(".entities"):
                yield function, getattr(client, name, None)


def uncrossable(function: Function) -> list[str]:
    """The parts of a function's signature that cannot cross the seam."""
    hints = get_type_hints(function)
    names = [*inspect.signature(function).parameters, "return"]
    missing = [f"{name} has no type" for name in names if name not in hints]
    return missing + [f"{name}: {hint} is no value" for name, hint in hints.items() if not is_value(hint)]


def without_batch(public: ModuleType) -> list[str]:
    """The reads by one id that have no batch version, so that GraphQL would repeat them for each row of a list.

    A function that takes an actor is a use case, and needs none.
    """
    found = functions(public)
    return [problem for name in found for problem in _batch_problem(name, found)]


def _batch_problem(name: str, found: dict[str, Function]) -> Iterable[str]:
    parameters = list(inspect.signature(found[name]).parameters)
    if not name.startswith("get_") or len(parameters) != 1 or not parameters[0].endswith("_id"):
        return ()
    plurals = (f"{name}s", f"{name}es", f"{name[:-1]}ies")
    batch = next((found[plural] for plural in plurals if plural in found), None)
    thing: Any = get_type_hints(found[name])["return"]
    if batch and get_type_hints(batch) == {f"{parameters[0]}s": Sequence[int], "return": dict[int, thing]}:
        return ()
    return (f"{name} needs {name}s({parameters[0]}s: Sequence[int]), which returns a dict by id",)


def untested(client: ModuleType) -> list[str]:
    """The functions of a domain's client that its tests/test_*contract.py do not call."""
    tests = (Path(str(client.__file__)).parent / "tests").glob("test_*contract.py")
    text = "".join(path.read_text() for path in tests)
    public = {name: it for name, it in vars(client).items() if not name.startswith("_")}
    declared = [name for name, it in public.items() if getattr(it, "__module__", "") == client.__name__]
    return [name for name in declared if not re.search(rf"\.{name}\b", text)]


def entities(client: ModuleType) -> list[Any]:
    """The domain's own entities that its client converts."""
    own = f"{client.__name__.rpartition('.')[0]}.entities"
    return [kind for kind in vars(client).values() if is_entity(kind) and kind.__module__ == own]


def altered(entity: Any, hints: dict[str, Any]) -> Any:
    """A copy of the entity with these fields; a new one has a default if all of the entity's have one."""
    known = entity._field_defaults
    defaults = {name: known[name] for name in hints if name in known}
    if len(known) == len(entity._fields):
        defaults = dict.fromkeys(hints.keys() - entity._fields, known[entity._fields[0]]) | defaults
    copy: Any = namedtuple(entity.__name__, hints, defaults=defaults.values(), module=entity.__module__)  # type: ignore[misc]
    copy.__annotations__ = hints
    return copy


def users_without_hooks(tables: Iterable[type[models.Model]]) -> list[str]:
    """Columns with a user's id in domains whose `public.py` lacks `erase_user` or `export_user`, and ids of nobody.

    An integer that is an id of another domain's row says so in its help_text: `Of accounts; ...`, `Of the catalog.`.
    """
    owned = (table for table in filter(is_ours, tables) if table._meta.app_label in settings.DOMAINS)
    found = [(table, name, owner) for table in owned for name, owner in _foreign_ids(table)]
    return [f"{table._meta.label}.{name}: say whose id it is in its help_text" for table, name, o in found if not o] + [
        f"{table._meta.label}.{name}: {table._meta.app_label}.public needs {hook}"
        for table, name, owner in found
        for hook in ("erase_user", "export_user")
        if owner == discovery.ALWAYS != table._meta.app_label and not hasattr(_public(table), hook)
    ]


def _foreign_ids(table: type[models.Model]) -> Iterator[tuple[str, str]]:
    """Columns that hold ids of others' rows, each with the domain that it names, if any."""
    for field in table._meta.concrete_fields:
        if field.is_relation:
            if field.related_model is get_user_model():
                yield field.name, discovery.ALWAYS
        elif isinstance(field, models.IntegerField) and field.name.endswith("_id"):
            named = re.match(r"Of (?:the )?(\w+)", str(field.help_text))
            yield field.name, named[1] if named else ""


def _public(table: type[models.Model]) -> ModuleType | None:
    package = settings.DOMAINS[table._meta.app_label]
    return import_module(f"{package}.public") if find_spec(f"{package}.public") else None


def crossing_relations(tables: Iterable[type[models.Model]]) -> list[str]:
    """Relations between tables of two domains, one of which may have to live in another database."""
    return [
        f"{model._meta.label}.{name}"
        for model in filter(is_ours, tables)
        for name, target in _relations(model)
        if is_ours(target) and target._meta.app_label != model._meta.app_label
    ]


def _relations(model: type[models.Model]) -> Iterator[tuple[str, type[models.Model]]]:
    for field in model._meta.get_fields():
        target: Any = field.related_model
        if field.is_relation and not field.auto_created and isinstance(target, type):
            yield field.name, target


def is_ours(model: type[models.Model]) -> bool:
    """Whether the model belongs to a domain or to the framework's queue, not to an installed package."""
    labels = {package.rpartition(".")[2] for package in ("framework.queue", *settings.DOMAINS.values())}
    return model._meta.app_label in labels
