"""Batch loading for resolvers: ask for one, and everything asked for meanwhile is fetched in one call.

    def resolve_product(line, info):
        return info.context.loaders.load(catalog.get_products, line.product_id)

The executor completes what is ready, then fetches what was asked for, level by level.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from types import TracebackType
from typing import Any, Generic, TypeVar, cast, final

from framework.context import trace

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
W = TypeVar("W")

MAX_BATCH_SIZE = 500

Batch = Callable[[Sequence[K]], Mapping[K, V]]


@final
class Deferred(Generic[V]):
    """A value that is there once its batch has been fetched.

    It is either a load, waiting in a queue, or follows from another one (`then`).
    """

    __slots__ = ("_apply", "_error", "_parent", "_queue", "_settled", "_traceback", "_value", "key")

    def __init__(
        self,
        *,
        queue: "Queue | None" = None,
        key: Hashable = None,
        parent: "Deferred[Any] | None" = None,
        apply: Callable[[Any], Any] | None = None,
    ) -> None:
        self.key = key
        self._queue = queue
        self._parent = parent
        self._apply = apply
        self._settled = False
        self._value: Any = None
        self._error: Exception | None = None
        self._traceback: TracebackType | None = None

    def then(self, apply: "Callable[[V], W | Deferred[W]]") -> "Deferred[W]":
        """What `apply` makes of the value; it may itself ask for a load. Not called when loading failed."""
        return Deferred(parent=self, apply=apply)

    def result(self) -> V:
        """The value, fetching whatever is still missing. Raises what the batch function or `apply` raised."""
        while not self.settle():
            self.fetch()
        if self._error is not None:
            # An error shared by many keys would otherwise gather one traceback entry for each raise.
            raise self._error.with_traceback(self._traceback)
        return cast("V", self._value)

    def settle(self) -> bool:
        """Go as far as possible without fetching; whether the value (or the error) is there."""
        if self._settled or self._parent is None:
            return self._settled
        unsettled: list[Deferred[Any]] = [self]
        while unsettled:
            deferred = unsettled[-1]
            parent = deferred._parent
            if deferred._settled:
                unsettled.pop()
            elif parent is None:
                return False
            elif parent._settled:
                deferred._follow(parent)
            else:
                unsettled.append(parent)
        return True

    def awaits_fetch(self) -> bool:
        """Whether the load this one rests on has not been fetched yet."""
        return not self._load()._settled

    def fetch(self) -> None:
        """Fetch one batch of the queue this one waits in. An error of the batch settles its keys."""
        load = self._load()
        if not load._settled and load._queue is not None:
            load._queue.fetch()

    def _load(self) -> "Deferred[Any]":
        deferred: Deferred[Any] = self
        while not deferred._settled and deferred._parent is not None:
            deferred = deferred._parent
        return deferred

    def _follow(self, parent: "Deferred[Any]") -> None:
        if parent._error is not None:
            self._fail(parent._error)
            return
        if self._apply is None:
            self._succeed(parent._value)
            return
        apply, self._apply = self._apply, None
        try:
            value = apply(parent._value)
        except Exception as error:
            self._fail(error)
            return
        if isinstance(value, Deferred):
            self._parent = value
        else:
            self._succeed(value)

    def _succeed(self, value: Any) -> None:
        if isinstance(value, Exception):
            self._fail(value)
            return
        self._value = value
        self._release()

    def _fail(self, error: Exception) -> None:
        self._error = error
        self._traceback = error.__traceback__
        self._release()

    def _release(self) -> None:
        self._settled = True
        self._parent = self._apply = self._queue = None


class Queue:
    """The loads of one batch function: those to be fetched, and those the request already has."""

    def __init__(self, batch: Batch[Any, Any], max_batch_size: int) -> None:
        self._batch = batch
        self._max_batch_size = max_batch_size
        self._known: dict[Hashable, Deferred[Any]] = {}
        self._waiting: list[Deferred[Any]] = []

    def load(self, key: Hashable) -> Deferred[Any]:
        deferred = self._known.get(key)
        if deferred is None:
            deferred = self._known[key] = Deferred(queue=self, key=key)
            self._waiting.append(deferred)
        return deferred

    def clear(self) -> None:
        # What has not been fetched will be fetched after the write, so it is not stale.
        self._known = {deferred.key: deferred for deferred in self._waiting}

    def fetch(self) -> None:
        """Fetch the longest waiting keys in one call of the batch function. Raises RuntimeError without any."""
        chunk = self._waiting[: self._max_batch_size]
        del self._waiting[: self._max_batch_size]
        if not chunk:
            raise RuntimeError("A batch function waits for a load of its own batch.")
        try:
            with trace.span(f"load {getattr(self._batch, '__name__', 'batch')}", keys=len(chunk)):
                found = self._batch([deferred.key for deferred in chunk])
            values = [found.get(deferred.key) for deferred in chunk]
        except Exception as error:
            for deferred in chunk:
                deferred._fail(error)
            return
        for deferred, value in zip(chunk, values, strict=True):
            deferred._succeed(value)


class Loaders:
    """One request's loads: a queue for each batch function, and what was fetched so far.

    Batch functions are told apart by equality, so pass module functions or bound methods, not a new lambda
    for every call. Not for use by several threads.
    """

    def __init__(self, max_batch_size: int = MAX_BATCH_SIZE) -> None:
        self._max_batch_size = max_batch_size
        self._queues: dict[Batch[Any, Any], Queue] = {}

    def load(self, batch: Batch[K, V], key: K) -> Deferred[V | None]:
        """The value `batch` has for the key; None when its mapping lacks the key."""
        queue = self._queues.get(batch)
        if queue is None:
            queue = self._queues[batch] = Queue(batch, self._max_batch_size)
        return queue.load(key)

    def clear(self, batch: Batch[Any, Any] | None = None) -> None:
        """Forget what was fetched (by one batch function, or by all): call it after a write."""
        queues = self._queues.values() if batch is None else filter(None, [self._queues.get(batch)])
        for queue in queues:
            queue.clear()
