"""What the domains' fakes share: ids, pages of entities in memory, and the types that go with them. Needs no Django."""

import threading
from collections.abc import Hashable, Iterable
from itertools import count
from types import ModuleType
from typing import Any, TypeVar

from framework.pages import Keyset, Page, bad_token, check_size

IDS = count(1 << 58)  # as large as real ones, which no float holds

K = TypeVar("K", bound=Hashable)
T = TypeVar("T", bound=tuple[Any, ...])


class Fake:
    """A domain in memory: the methods are the functions of its `public.py`, other attributes its entities."""

    def __init__(self, entities: ModuleType) -> None:
        self._entities = entities
        self._lock = threading.RLock()
        self._tokens: dict[str, tuple[Keyset, int]] = {}  # each of one list, with the id of the last row seen

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
        start = self._start(rows, keyset, after) if after else 0
        items = rows[start : start + first]
        return Page(items, self._token(keyset, items[-1].id) if len(rows) > start + first else "")

    def _start(self, rows: list[Any], keyset: Keyset, token: str) -> int:
        known, seen = self._tokens.get(token, (None, 0))
        if known != keyset:
            raise bad_token()
        return next((index for index, row in enumerate(rows, 1) if row.id == seen), len(rows))

    def _token(self, keyset: Keyset, seen: int) -> str:
        token = f"page-{len(self._tokens)}"
        self._tokens[token] = (keyset, seen)
        return token
