"""Reads keyset pages from the database."""

from datetime import UTC
from functools import lru_cache, partial
from typing import Any, TypeVar

from django.core.exceptions import ValidationError
from django.db import connections, router
from django.db.models import Model, Q, QuerySet

from framework.data.queries import CompiledQuery
from framework.pages import MAX_COUNT, Keyset, Page, bad_token, check_size, position, token

E_ = TypeVar("E_", bound=tuple[Any, ...])


def fetch(
    rows: QuerySet[Any], entity: type[E_], keyset: Keyset, *, first: int, after: str = "", compiled: bool = False
) -> Page[E_]:
    """`first` rows of the list after the token, as entities, in one query.

    `compiled` says that `rows` is one object for the life of the process; its pages' SQL is then composed once each.
    Raises InvalidArgument for a page size or token that cannot be used.
    """
    check_size(first)
    place = _place(rows.model, keyset, after) if after else ()
    columns = entity._fields  # type: ignore[attr-defined]
    if compiled:
        found = _compiled_page(rows, columns, keyset.order, first, bool(after)).run(*place)
    else:
        found = list(_page(rows, columns, keyset.order, first, place))
    items: list[Any] = list(map(partial(tuple.__new__, entity), found[:first]))  # as `_make`, without its calls
    return Page(items, token(keyset, items[-1]) if len(found) > first else "", keyset)


def count(rows: QuerySet[Any]) -> int:
    """How many rows there are, up to MAX_COUNT; one more than that says that there are more.

    A million rows cost what a thousand do.
    """
    return rows.order_by()[: MAX_COUNT + 1].count()


def _page(
    rows: QuerySet[Any], columns: tuple[str, ...], order: str, first: int, place: tuple[Any, ...]
) -> QuerySet[Any, tuple[Any, ...]]:
    if place:
        rows = rows.filter(_beyond(order, *place))
    sign = "-" if order.startswith("-") else ""
    return rows.order_by(order, f"{sign}id").values_list(*columns)[: first + 1]


@lru_cache(1000)
def _compiled_page(
    rows: QuerySet[Any], columns: tuple[str, ...], order: str, first: int, beyond: bool
) -> CompiledQuery:
    if beyond:
        return CompiledQuery(lambda value, identifier: _page(rows, columns, order, first, (value, identifier)))
    return CompiledQuery(lambda: _page(rows, columns, order, first, ()))


def _place(model: type[Model], keyset: Keyset, after: str) -> tuple[Any, int]:
    """Sort value and id of the row before the page. Raises InvalidArgument for a value that the column cannot hold."""
    text, identifier = position(keyset, after)
    field: Any = model._meta.get_field(keyset.column)
    try:
        value = field.to_python(text)
        field.run_validators(value)
        if str(value) != text or "\0" in text or getattr(value, "tzinfo", UTC) is None:
            raise ValueError("not as a token has it")
        field.get_db_prep_value(value, connections[router.db_for_read(model)])  # a moment may exceed the calendar
    except (ValidationError, ValueError, ArithmeticError):
        raise bad_token() from None
    return value, identifier


def _beyond(order: str, value: Any, identifier: Any) -> Q:
    column, past = order.removeprefix("-"), "lt" if order.startswith("-") else "gt"
    # The first condition says nothing new; it lets the index find the place.
    return Q(**{f"{column}__{past}e": value}) & (Q(**{f"{column}__{past}": value}) | Q(**{f"id__{past}": identifier}))
