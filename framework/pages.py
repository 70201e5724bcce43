"""Keyset pages: the next page begins after the last row seen, so page 900 costs what page 1 costs.

What both sides of a call know of them; no Django. `framework/data/keysets.py` reads them from the database.

A token, or cursor, names a row's sort value and id, after a digest of the list it belongs to. It is not signed: it
can say nothing that a client could not ask for, and whoever reads it checks each part.
"""

import hashlib
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from functools import lru_cache
from typing import Any, Generic, NamedTuple, TypeVar

from framework.errors import InvalidArgument

MAX_PAGE_SIZE = 500
MAX_COUNT = 1_000  # rows of a list that are counted; a count above it says that there are more
_SCOPE = 8  # characters

T = TypeVar("T")


class Keyset(NamedTuple):
    """One ordered list: its name, the column it is sorted by (`-` for descending), and what it is filtered by."""

    name: str
    order: str
    filtered_by: str = ""

    @property
    def column(self) -> str:
        return self.order.removeprefix("-")


class Page(NamedTuple, Generic[T]):
    """A part of a list. It carries its keyset, so that cursors can be made of the page alone."""

    items: list[T]
    next_token: str  # empty on the last page
    keyset: Keyset

    def cursor(self, item: Any) -> str:
        """The token of the page that begins after this item of the page."""
        return token(self.keyset, item)


def token(keyset: Keyset, item: Any) -> str:
    """The token of the page that begins after this item, an entity with an `id` and the keyset's column."""
    scope, column = _scope(keyset)
    return urlsafe_b64encode(f"{scope}{item.id}:{getattr(item, column)}".encode()).decode()


def position(keyset: Keyset, token: str) -> tuple[str, int]:
    """Sort value, as text, and id of the row that a token names: the client may have written either.

    Raises InvalidArgument for a token that is malformed, or of a list with another name, order or filter.
    """
    try:
        place = urlsafe_b64decode(token.encode("ascii")).decode()
    except ValueError:
        raise bad_token() from None
    identifier, colon, value = place[_SCOPE:].partition(":")
    canonical = urlsafe_b64encode(place.encode()).decode() == token
    if not (canonical and place[:_SCOPE] == _scope(keyset)[0] and colon and _is_id(identifier)):
        raise bad_token()
    return value, int(identifier)


def check_size(first: int) -> None:
    """Raise InvalidArgument unless a page of this many rows may be asked for."""
    if not 1 <= first <= MAX_PAGE_SIZE:
        raise InvalidArgument(
            f"A page has 1 to {MAX_PAGE_SIZE} rows, not {first}.",
            fields={"first": f"must be between 1 and {MAX_PAGE_SIZE}"},
        )


def bad_token() -> InvalidArgument:
    """The refusal of a token that is malformed or of another list."""
    return InvalidArgument(
        "The page token is not of this list: use one from the page before, with the same search and order.",
        fields={"after": "not a token of this list"},
        reason="BAD_PAGE_TOKEN",
    )


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 19 and int(text) < 1 << 63


@lru_cache(1000)
def _scope(keyset: Keyset) -> tuple[str, str]:
    """A digest that tells lists apart (without a key, as it protects nothing), and the column it is sorted by."""
    digest = hashlib.blake2b(json.dumps(keyset).encode(), digest_size=_SCOPE * 3 // 4)
    return urlsafe_b64encode(digest.digest()).decode(), keyset.column
