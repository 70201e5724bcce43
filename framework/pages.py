"""Keyset pages: the next page begins after the last row seen, so page 900 costs what page 1 costs.

What both sides of a call know of them; no Django. `keysets` makes them from the database.
"""

from typing import Generic, NamedTuple, TypeVar

from framework.errors import InvalidArgument

MAX_PAGE_SIZE = 500

T = TypeVar("T")


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


def check_size(first: int) -> None:
    """Raise InvalidArgument unless a page of this many rows may be asked for."""
    if not 1 <= first <= MAX_PAGE_SIZE:
        raise InvalidArgument(
            f"A page has 1 to {MAX_PAGE_SIZE} rows, not {first}.",
            fields={"first": f"must be between 1 and {MAX_PAGE_SIZE}"},
        )


def bad_token() -> InvalidArgument:
    """What a token of another list, or of nobody's making, is refused with."""
    return InvalidArgument(
        "The page token is not of this list: use one from the page before, with the same search and order.",
        fields={"after": "not a token of this list"},
        reason="BAD_PAGE_TOKEN",
    )
