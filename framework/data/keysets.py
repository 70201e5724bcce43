"""Pages from the database, and the tokens that name where the next one begins.

A token names the last row's sort value and id. It is signed together with the list's name, order and filter, so
a token that was altered, or comes from another list, is refused and never reaches the database.
"""

import base64
import hmac
import json
from functools import cache, lru_cache, partial
from typing import Any, Protocol, TypeVar

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import connections, router
from django.db.models import Model, Q, QuerySet

from framework.data.queries import KeptQuery
from framework.errors import InvalidArgument
from framework.pages import Keyset, Page, bad_token, check_size

_MAC_BYTES = 9


class Row(Protocol):
    @property
    def id(self) -> int: ...


E_ = TypeVar("E_", bound=tuple[Any, ...])


def token(keyset: Keyset, item: Row) -> str:
    """The token of the page after this item."""
    place = json.dumps([str(getattr(item, keyset.column)), item.id]).encode()
    return base64.urlsafe_b64encode(_mac(keyset, place) + place).decode()


def position(keyset: Keyset, token: str) -> tuple[str, int]:
    """Sort value and id of the row a token stands for.

    Raises InvalidArgument for a token that is not of this very list.
    """
    try:
        raw = base64.urlsafe_b64decode(token.encode("ascii"))
    except ValueError:
        raw = b""
    mac, place = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
    if not hmac.compare_digest(mac, _mac(keyset, place)):
        raise bad_token()
    value, identifier = json.loads(place)
    return value, identifier


def fetch(
    rows: QuerySet[Any], entity: type[E_], keyset: Keyset, *, first: int, after: str = "", kept: bool = False
) -> Page[E_]:
    """`first` rows of the list after the token, as entities, in one query.

    `kept` says that `rows` is one object for the life of the process; its pages' SQL is then composed once each.
    Raises InvalidArgument for a page size or token that cannot be used.
    """
    check_size(first)
    place = _place(rows.model, keyset, after) if after else ()
    columns = entity._fields  # type: ignore[attr-defined]
    if kept:
        found = _kept_page(rows, columns, keyset.order, first, bool(after)).run(*_prepared(rows.model, keyset, place))
    else:
        found = list(_page(rows, columns, keyset.order, first, place))
    items: list[Any] = list(map(partial(tuple.__new__, entity), found[:first]))  # as `_make`, without its calls
    return Page(items, token(keyset, items[-1]) if len(found) > first else "")


def _page(
    rows: QuerySet[Any], columns: tuple[str, ...], order: str, first: int, place: tuple[Any, ...]
) -> QuerySet[Any, tuple[Any, ...]]:
    if place:
        rows = rows.filter(_beyond(order, *place))
    sign = "-" if order.startswith("-") else ""
    return rows.order_by(order, f"{sign}id").values_list(*columns)[: first + 1]


@lru_cache(1000)
def _kept_page(rows: QuerySet[Any], columns: tuple[str, ...], order: str, first: int, beyond: bool) -> KeptQuery:
    if beyond:
        return KeptQuery(lambda value, identifier: _page(rows, columns, order, first, (value, identifier)))
    return KeptQuery(lambda: _page(rows, columns, order, first, ()))


def _place(model: type[Model], keyset: Keyset, after: str) -> tuple[Any, int]:
    """Sort value and id of the row before the page."""
    text, identifier = position(keyset, after)
    field: Any = model._meta.get_field(keyset.column)
    try:
        return field.to_python(text), identifier
    except ValidationError:  # signed by an older release, whose column had another type
        raise InvalidArgument("The page token is too old: start from the first page.") from None


def _prepared(model: type[Model], keyset: Keyset, place: tuple[Any, ...]) -> tuple[Any, ...]:
    """A place as the database takes it: nothing converts the values of a kept query."""
    if not place:
        return ()
    field: Any = model._meta.get_field(keyset.column)
    value, identifier = place
    return field.get_db_prep_value(value, connections[router.db_for_read(model)]), identifier


def _beyond(order: str, value: Any, identifier: Any) -> Q:
    column, past = order.lstrip("-"), "lt" if order.startswith("-") else "gt"
    # The first condition says nothing new; it lets the index find the place.
    return Q(**{f"{column}__{past}e": value}) & (Q(**{f"{column}__{past}": value}) | Q(**{f"id__{past}": identifier}))


def _mac(keyset: Keyset, place: bytes) -> bytes:
    scope = json.dumps(keyset).encode()
    return hmac.digest(_key(settings.SECRET_KEY), scope + b"\0" + place, "sha256")[:_MAC_BYTES]


@cache
def _key(secret: str) -> bytes:
    return hmac.digest(secret.encode(), b"framework.pages", "sha256")
