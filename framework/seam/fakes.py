"""What the domains' fakes share: ids, pages of entities in memory, and the types that go with them. Needs no Django."""

import threading
from collections.abc import Hashable, Iterable
from itertools import count
from types import ModuleType
from typing import Any, TypeVar

from framework.pages import Keyset, Page, check_size, position, token

IDS = count(1 << 58)  # as large as real ones, which no float holds

K = TypeVar("K", bound=Hashable)
T = TypeVar("T", bound=tuple[Any, ...])


class Fake:
    """A domain in memory: the methods are the functions of its `public.py`, other attributes its entities."""

    def __init__(self, entities: ModuleType) -> None:
        self._entities = entities
        self._lock = threading.RLock()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # before __init__, as when unpickling
            raise AttributeError(name)
        return getattr(self._entities, name)

    def _put(self, table: dict[K, T], key: K, row: T) -> T:
        table[key] = row
        return row

    def _page(self, entities: Iterable[T], keyset: Keyset, *, first: int, after: str) -> Page[T]:
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
