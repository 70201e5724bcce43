"""Which constraint the database refused a row for."""

import re
from typing import Any

from django.db import IntegrityError
from django.db.models import Model, UniqueConstraint


def is_taken(error: IntegrityError, model: type[Model], *fields: str) -> bool:
    """Whether a row was refused because another has its values of these fields, which are unique together.

    Only the database can tell without a race. Any other violation (a null, a check) is an error of the code, and must
    not be told to a client as a value that is taken.
    """
    table, columns = model._meta.db_table, [_column(model, name) for name in fields]
    cause: Any = error.__cause__
    if hasattr(cause, "diag"):  # PostgreSQL
        return _names(model, fields, f"{table}_{'_'.join(columns)}", str(cause.diag.constraint_name))
    return str(cause) == f"UNIQUE constraint failed: {', '.join(f'{table}.{column}' for column in columns)}"


def _column(model: type[Model], name: str) -> str:
    field: Any = model._meta.get_field(name)
    return str(field.column)


def _names(model: type[Model], fields: tuple[str, ...], stem: str, name: str) -> bool:
    """Whether the name is that of a constraint on the fields: a declared one, or one that `unique=True` makes."""
    declared = {
        constraint.name
        for constraint in model._meta.constraints
        if isinstance(constraint, UniqueConstraint) and tuple(constraint.fields) == fields
    }
    return name in declared or bool(re.fullmatch(rf"{stem}_(key|[0-9a-f]{{8}}_uniq)", name))
