"""What the domains' fakes share: ids, and pages of what lies in memory. No Django."""

from collections.abc import Iterable
from itertools import count
from typing import Any, TypeVar

from framework.pages import Keyset, Page, check_size, position, token

IDS = count(1 << 58)  # as large as real ones, which no float holds

T = TypeVar("T", bound=tuple[Any, ...])


def page_of(entities: Iterable[T], keyset: Keyset, *, first: int, after: str) -> Page[T]:
    """`first` entities of the list after the token.

    Raises InvalidArgument for a page size or token that cannot be used.
    """
    check_size(first)
    rows: list[Any] = sorted(
        entities,
        key=lambda row: (getattr(row, keyset.column), row.id),
        reverse=keyset.order.startswith("-"),
    )
    start = _start(rows, keyset, after) if after else 0
    items = rows[start : start + first]
    return Page(items, token(keyset, items[-1]) if len(rows) > start + first else "", keyset)


def _start(rows: list[Any], keyset: Keyset, after: str) -> int:
    _, seen = position(keyset, after)
    return next((index for index, row in enumerate(rows, 1) if row.id == seen), len(rows))
