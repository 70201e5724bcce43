"""Reads keyset pages from the database."""

from datetime import UTC
from functools import lru_cache, partial
from typing import Any, TypeVar

from django.core.exceptions import ValidationError
from django.db import connections, router
from django.db.models import F, Model, OrderBy, Q, QuerySet
from django.db.models.functions import Coalesce

from framework.data.queries import CompiledQuery
from framework.pages import MAX_COUNT, Keyset, Page, bad_token, check_size, position, token

NEAR = 2_000  # rows in order that a search reads before it sorts all that match

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
    return _made(found, entity, keyset, first)


def fetch_matching(
    rows: QuerySet[Any], matching: Q, entity: type[E_], keyset: Keyset, *, first: int, after: str = ""
) -> Page[E_]:
    """`fetch` of the rows that match what the order's index does not know, such as a part of a text; in 2 or 3 queries.

    What matches often is found among the next NEAR rows in order. What does not is found by an index of its own, and
    then sorted. The planner, which must choose one of the two, takes common texts to be spread evenly: looking for
    "walnut" by name, it reads everything from A to W.
    """
    check_size(first)
    place = _place(rows.model, keyset, after) if after else ()
    order, columns = keyset.order, entity._fields  # type: ignore[attr-defined]
    near = _near(rows, order, place)
    found = list(_page(near.filter(matching), columns, order, first, place)) if near is not None else []
    if len(found) <= first:
        found = list(_page(rows.filter(matching), columns, order, first, place, sorts=True))
    return _made(found, entity, keyset, first)


def count(rows: QuerySet[Any]) -> int:
    """How many rows there are, up to MAX_COUNT; one more than that says that there are more.

    A million rows cost what a thousand do.
    """
    return rows.order_by()[: MAX_COUNT + 1].count()


def _made(found: list[Any], entity: type[E_], keyset: Keyset, first: int) -> Page[E_]:
    items: list[Any] = list(map(partial(tuple.__new__, entity), found[:first]))  # as `_make`, without its calls
    return Page(items, token(keyset, items[-1]) if len(found) > first else "", keyset)


def _page(
    rows: QuerySet[Any],
    columns: tuple[str, ...],
    order: str,
    first: int,
    place: tuple[Any, ...],
    *,
    sorts: bool = False,
) -> QuerySet[Any, tuple[Any, ...]]:
    """`sorts` keeps the order's index out: what it says of the order, no index knows."""
    if place:
        rows = rows.filter(_beyond(order, *place))
    column, descending = order.removeprefix("-"), order.startswith("-")
    by = OrderBy(Coalesce(column, column) if sorts else F(column), descending=descending)
    return rows.order_by(by, OrderBy(F("id"), descending=descending)).values_list(*columns)[: first + 1]


def _near(rows: QuerySet[Any], order: str, place: tuple[Any, ...]) -> QuerySet[Any] | None:
    """The next NEAR rows in order; None when there are not so many."""
    column = order.removeprefix("-")
    last = list(_page(rows, (column, "id"), order, NEAR, place)[NEAR:])
    return rows.filter(_beyond(order, *last[0], inclusive=True, back=True)) if last else None


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


def _beyond(order: str, value: Any, identifier: Any, *, back: bool = False, inclusive: bool = False) -> Q:
    """The rows after the place, or with `back` before it; `inclusive` adds its own."""
    column, past = order.removeprefix("-"), "lt" if order.startswith("-") != back else "gt"
    by_id = Q(**{f"id__{past}{'e' if inclusive else ''}": identifier})
    # The first condition says nothing new; it lets the index find the place.
    return Q(**{f"{column}__{past}e": value}) & (Q(**{f"{column}__{past}": value}) | by_id)
