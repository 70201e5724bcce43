"""Whether an admin's form has the fields that its services take: asked when the URLs are made, so at the start."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any, get_type_hints

from django.contrib.admin import ModelAdmin
from django.contrib.admin.utils import flatten, flatten_fieldsets
from django.core.exceptions import ImproperlyConfigured
from django.db.models import Model

VERSION = "version"  # travels beside the values


def taken_by(service: Callable[..., Any]) -> Any:
    """The entity that holds the values of a service: its last parameter."""
    *_, entity = (hint for name, hint in get_type_hints(service).items() if name != "return")
    return entity


def column(model: type[Model], name: str) -> str:
    """How entities name a field of a form: a foreign key `parent` by its id, `parent_id`."""
    field: Any = model._meta.get_field(name)
    return getattr(field, "attname", name)


def refuse_mismatch(page: ModelAdmin, services: tuple[Callable[..., Any], ...], excluded: Mapping[str, str]) -> None:
    """Raise ImproperlyConfigured for a field that the form has and a service does not take, and for the reverse."""
    form = {column(page.model, name) for name in _form_names(page)} - excluded.keys()
    problems = [text for service in services for text in _problems(form, excluded, service)]
    if problems:
        kind = type(page)
        raise ImproperlyConfigured(f"{kind.__name__} in {inspect.getsourcefile(kind)}: {' '.join(problems)}")


def _form_names(page: ModelAdmin) -> set[str]:
    options = page.model._meta
    named = flatten_fieldsets(page.fieldsets) if page.fieldsets else flatten(page.fields or ())
    columns = (*options.fields, *options.many_to_many)
    editable = {field.name for field in columns if field.editable and not field.primary_key}
    shown = editable.intersection(named) if named else editable.difference(page.exclude or ())
    return shown.difference(page.readonly_fields, {VERSION})


def _problems(form: set[str], excluded: Mapping[str, str], service: Callable[..., Any]) -> Iterator[str]:
    entity = taken_by(service)
    fields = set(entity._fields)
    for name in sorted(form - fields):
        yield (
            f"the form has {name!r}, which {entity.__name__} of {service.__name__} lacks:"
            f" add it in {inspect.getsourcefile(entity)}, or to `excluded` with the reason."
        )
    for name in sorted(fields - form - excluded.keys()):
        yield f"the form lacks {name!r} of {entity.__name__}: add it to `fields`, or to `excluded` with the reason."
    for name in sorted((fields - form - entity._field_defaults.keys()) & excluded.keys()):
        yield f"{name!r} is excluded, but {entity.__name__} has no default for it."
