"""Pages from the database, and the tokens that name where the next one begins.

A token names the last row's sort value and id. It is signed together with the list's name, order and filter, so
a token that was altered, or comes from another list, is refused and never reaches the database.
"""

import base64
import hmac
import json
from functools import cache
from typing import Any, Protocol, TypeVar

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db.models import Model, Q, QuerySet

from apps.common.errors import InvalidArgument
from apps.common.pages import Keyset, Page, bad_token, check_size

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
    return Page(items, token(keyset, items[-1]) if len(found) > first else "")


def _beyond(model: type[Model], keyset: Keyset, after: str) -> Q:
    text, identifier = position(keyset, after)
    try:
        value = model._meta.get_field(keyset.column).to_python(text)  # type: ignore[union-attr]
    except ValidationError:  # signed by an older release, whose column had another type
        raise InvalidArgument("The page token is too old: start from the first page.") from None
    past = "lt" if keyset.order.startswith("-") else "gt"
    # The first condition says nothing new; it lets the index find the place.
    return Q(**{f"{keyset.column}__{past}e": value}) & (
        Q(**{f"{keyset.column}__{past}": value}) | Q(**{f"id__{past}": identifier})
    )


def _mac(keyset: Keyset, place: bytes) -> bytes:
    scope = json.dumps(keyset).encode()
    return hmac.digest(_key(settings.SECRET_KEY), scope + b"\0" + place, "sha256")[:_MAC_BYTES]


@cache
def _key(secret: str) -> bytes:
    return hmac.digest(secret.encode(), b"apps.common.pages", "sha256")
