"""What a process keeps of its clients within bounds: a cache, and how often each asked."""

import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, TypeVar

V = TypeVar("V")


class BoundedCache(Generic[V]):
    """Keeps the most recently used values whose weights together are `capacity` at most.

    Without `weigh` each value weighs 1. A value that has grown is weighed again when it is put again. A value
    heavier than the whole capacity is not kept.
    """

    def __init__(self, capacity: int, weigh: Callable[[V], int] = lambda _: 1) -> None:
        self._capacity = capacity
        self._weigh = weigh
        self._lock = Lock()
        self._kept: OrderedDict[Hashable, tuple[V, int]] = OrderedDict()
        self.weight = 0

    def __len__(self) -> int:
        return len(self._kept)

    def values(self) -> list[V]:
        """What is kept now, the least recently used first."""
        with self._lock:
            return [value for value, _ in self._kept.values()]

    def get(self, key: Hashable) -> V | None:
        with self._lock:
            kept = self._kept.get(key)
            if kept is None:
                return None
            self._kept.move_to_end(key)
            return kept[0]

    def put(self, key: Hashable, value: V) -> None:
        """Keep the value, at the expense of those that were not used for the longest time."""
        weight = self._weigh(value)
        with self._lock:
            replaced = self._kept.pop(key, None)
            self._kept[key] = value, weight
            self.weight += weight - (replaced[1] if replaced else 0)
            while self.weight > self._capacity:
                _, (_, freed) = self._kept.popitem(last=False)
                self.weight -= freed

    def get_or_make(self, key: Hashable, make: Callable[[], V]) -> V:
        """The value kept for the key, or a new one. Raises what `make` raises, and keeps nothing then."""
        value = self.get(key)
        if value is None:
            # Two threads may both make it; the later one is kept.
            value = make()
            self.put(key, value)
        return value


class RateLimit:
    """Counts events by client in fixed windows of `window` seconds, `most` of them per client and window.

    Each process counts for itself, without a round trip: N processes together allow N times as much. A limit for
    all processes is the proxy's to enforce.
    """

    def __init__(self, most: int, window: int = 60) -> None:
        self.most = most
        self.window = window
        self._current = 0
        self._counts: Counter[object] = Counter()

    def allows(self, client: object) -> bool:
        """Count one event of the client; False above the limit."""
        current = int(time.time() // self.window)
        if current != self._current:
            self._current, self._counts = current, Counter()
        self._counts[client] += 1
        return self._counts[client] <= self.most

    def seconds_left(self) -> int:
        """Seconds until the next window begins."""
        return self.window - int(time.time()) % self.window
