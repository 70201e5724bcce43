"""Keyset pages: the next page begins after the last row seen, so page 900 costs what page 1 costs.

A token names the last row's sort value and id. It is signed together with the list's name, order and filter, so
a token that was altered, or comes from another list, is refused and never reaches the database.
"""

import base64
import hmac
import json
from functools import cache
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db.models import Model, Q, QuerySet

from apps.common.errors import InvalidArgument

MAX_PAGE_SIZE = 500
_MAC_BYTES = 9

T = TypeVar("T")


class Row(Protocol):
    @property
    def id(self) -> int: ...


E_ = TypeVar("E_", bound=tuple[Any, ...])


class Page(NamedTuple, Generic[T]):
    items: list[T]
    next_token: str  # empty on the last page


class Keyset(NamedTuple):
    """One ordered list: its name, the column it is sorted by (`-` for descending), and what it is filtered by."""

    name: str
    order: str
    filtered_by: str = ""

    @property
    def column(self) -> str:
        return self.order.lstrip("-")

    def token(self, item: Row) -> str:
        """The token of the page after this item."""
        position = json.dumps([str(getattr(item, self.column)), item.id]).encode()
        return base64.urlsafe_b64encode(self._mac(position) + position).decode()

    def position(self, token: str) -> tuple[str, int]:
        """Sort value and id of the row a token stands for.

        Raises InvalidArgument for a token that is not of this very list.
        """
        try:
            raw = base64.urlsafe_b64decode(token.encode("ascii"))
        except ValueError:
            raw = b""
        mac, position = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
        if not hmac.compare_digest(mac, self._mac(position)):
            raise InvalidArgument(
                "The page token is not of this list: use one from the page before, with the same search and order.",
                fields={"after": "not a token of this list"},
                reason="BAD_PAGE_TOKEN",
            )
        value, identifier = json.loads(position)
        return value, identifier

    def _mac(self, position: bytes) -> bytes:
        scope = json.dumps(self).encode()
        return hmac.digest(_key(settings.SECRET_KEY), scope + b"\0" + position, "sha256")[:_MAC_BYTES]


@cache
def _key(secret: str) -> bytes:
    return hmac.digest(secret.encode(), b"apps.common.pages", "sha256")


def check_size(first: int) -> None:
    """Raise InvalidArgument unless a page of this many rows may be asked for."""
    if not 1 <= first <= MAX_PAGE_SIZE:
        raise InvalidArgument(
            f"A page has 1 to {MAX_PAGE_SIZE} rows, not {first}.",
            fields={"first": f"must be between 1 and {MAX_PAGE_SIZE}"},
        )


def fetch(rows: QuerySet[Any], entity: type[E_], keyset: Keyset, *, first: int, after: str = "") -> Page[E_]:
    """`first` rows of the list after the token, as entities, in one query.

    Raises InvalidArgument for a page size or token that cannot be used.
    """
    check_size(first)
    if after:
        rows = rows.filter(_beyond(rows.model, keyset, after))
    sign = "-" if keyset.order.startswith("-") else ""
    columns = entity._fields  # type: ignore[attr-defined]
    found = [
        entity._make(row)  # type: ignore[attr-defined]
        for row in rows.order_by(keyset.order, f"{sign}id").values_list(*columns)[: first + 1]
    ]
    items = found[:first]
    return Page(items, keyset.token(items[-1]) if len(found) > first else "")


def _beyond(model: type[Model], keyset: Keyset, after: str) -> Q:
    text, identifier = keyset.position(after)
    try:
        value = model._meta.get_field(keyset.column).to_python(text)  # type: ignore[union-attr]
    except ValidationError:  # signed by an older release, whose column had another type
        raise InvalidArgument("The page token is too old: start from the first page.") from None
    past = "lt" if keyset.order.startswith("-") else "gt"
    # The first condition says nothing new; it lets the index find the place.
    return Q(**{f"{keyset.column}__{past}e": value}) & (
        Q(**{f"{keyset.column}__{past}": value}) | Q(**{f"id__{past}": identifier})
    )
