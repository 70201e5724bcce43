"""Where a field is missing that the others of its domain have: model, entities, GraphQL types, admin and demo data.

A domain says why in LEFT_OUT of its `tests/left_out.py`. What GraphQL types derive, and messages and forms that save
through services, is refused at the start, not here.
"""

from collections.abc import Iterator
from importlib import import_module
from types import ModuleType
from typing import Any

from django.apps import apps
from django.contrib import admin
from django.contrib.admin.utils import flatten, flatten_fieldsets
from django.db.models import Model

from framework import discovery
from framework.graphql.entity import EntityType
from framework.seam.conversions import is_entity

VERSION = "version"  # beside the values of drafts and changes


def lacking(package: str) -> set[str]:
    """`<where> <entity>.<field>` of what a domain's tables, entities, admin pages and GraphQL types lack."""
    entities = import_module(f"{package}.entities")
    tables = apps.get_app_config(package.rpartition(".")[2]).get_models()
    found = set(_hand_written(package, entities))
    for table in tables:
        if is_entity(getattr(entities, table.__name__, None)):
            found |= {f"{where} {table.__name__}.{name}" for where, name in _of(table, entities)}
    return found


def undemonstrated(package: str) -> set[str]:
    """The fields that no row of the demo data, which must be loaded, gives another value than their default."""
    entities = import_module(f"{package}.entities")
    found = set()
    for table in apps.get_app_config(package.rpartition(".")[2]).get_models():
        defaults = getattr(getattr(entities, f"{table.__name__}Draft", None), "_field_defaults", {})
        rows = list(table._default_manager.values(*defaults)) if defaults else []
        found |= {
            f"demo {table.__name__}.{name}"
            for name, value in defaults.items()
            if all(row[name] == value for row in rows)
        }
    return found


def _of(table: type[Model], entities: ModuleType) -> Iterator[tuple[str, str]]:
    columns = {field.attname: field for field in table._meta.concrete_fields}
    own = set(getattr(entities, table.__name__)._fields)
    yield from (("entity", name) for name in columns.keys() - own)
    yield from (("model", name) for name in own - columns.keys())
    editable = {name for name, field in columns.items() if field.editable and not field.primary_key} - {VERSION}
    for kind in ("Draft", "Changes"):
        values = getattr(entities, f"{table.__name__}{kind}", None)
        if values is not None:
            yield from ((kind.lower(), name) for name in editable ^ set(values._fields))
    page = admin.site._registry.get(table)
    if page is not None:
        yield from (("admin", name) for name in own.intersection(editable) - _shown(page, editable))


def _shown(page: Any, editable: set[str]) -> set[str]:
    """The columns on a page of the admin; a foreign key goes by its column there, too."""
    named = flatten_fieldsets(page.fieldsets) if page.fieldsets else flatten(page.fields or ())
    columns: dict[str, Any] = {field.name: field.attname for field in page.model._meta.concrete_fields}
    hidden = {str(columns.get(name, name)) for name in page.exclude or ()}
    shown = {str(columns.get(name, name)) for name in named}
    return shown or editable - hidden


def _hand_written(package: str, entities: ModuleType) -> Iterator[str]:
    """GraphQL types of an entity's name that do not derive from it."""
    for module in discovery.modules("schema"):
        if module.__name__ == f"{package}.schema":
            kinds = {name: kind for name, kind in vars(module).items() if is_entity(getattr(entities, name, None))}
            yield from (f"graphql {name}" for name, kind in kinds.items() if not issubclass(kind, EntityType))
