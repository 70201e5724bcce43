"""UnitOfWork: what is known of one request, call or task while it runs. One object, behind one ContextVar.

Past its deadline, or once its caller has left, its query is cancelled. A statement timeout would cost each unit a round
trip; instead the watchdog, one thread a process, looks at all units twenty times a second.
"""

import os
import re
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol

from framework.actor import NOBODY
from framework.context import trace
from framework.errors import DeadlineExceeded

REQUEST_ID_HEADER = "X-Request-ID"
FRESH_HEADER = "X-Fresh"  # sent with a call whose reads must not come from a replica, because its caller has written
MAX_NAME = 100  # characters of a unit's name in its access line
INTERVAL = 0.05  # seconds between two looks of the watchdog
_ACCEPTABLE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class Client(Protocol):
    """Who waits for the result; a gRPC servicer context, for one."""

    def is_active(self) -> bool: ...


class UnitOfWork:
    """One request, call or task. Used by one thread at a time; the watchdog's thread may cancel its query."""

    __slots__ = (
        "_cancel", "_lock", "_log", "_outer", "_span", "_started",
        "actor", "arrived", "client", "code", "cost", "deadline", "name", "queries", "read_from", "read_only",
        "request_id", "sql_seconds", "transport", "wrote",
    )  # fmt: skip

    def __init__(self, deadline: float | None = None, cancel: Callable[[], object] | None = None) -> None:
        self.transport = ""  # web, graphql, grpc or task; empty outside of any unit
        self.name = ""  # of the operation, method, page or task
        self.code = ""  # OK, or the name of an error
        self.request_id = ""
        self.actor = NOBODY
        self.arrived: float | None = None  # the three moments are on the clock of time.monotonic()
        self.deadline = deadline
        self.client: Client | None = None  # None where a client cannot be seen leaving: HTTP/1 behind a proxy
        self.cost: int | None = None  # of a GraphQL operation
        self.queries = 0
        self.sql_seconds = 0.0
        self.read_only = False  # it began as work that changes nothing
        self.wrote = False  # here or in another service
        self.read_from: str | None = None  # the database that answers reads now; None for the default
        self._lock = threading.Lock()  # held while cancelling, so that no later query is hit
        self._cancel = cancel  # ends what runs now: a query, or a wait for the client
        self._started = 0.0
        self._log: Any = None
        self._span: trace.Span | None = None
        self._outer: UnitOfWork | None = None

    def is_over(self) -> bool:
        """Whether nobody waits for the result any more."""
        if self.deadline is not None and time.monotonic() > self.deadline:
            return True
        return self.client is not None and not self.client.is_active()

    def check(self) -> None:
        """Raise DeadlineExceeded once nobody waits for the result any more."""
        if self.is_over():
            raise self.exceeded()

    def exceeded(self) -> DeadlineExceeded:
        left = self.client is not None and not self.client.is_active()
        return DeadlineExceeded("The caller no longer waits for this." if left else "This took longer than allowed.")

    def enter_query(self, cancel: Callable[[], object]) -> None:
        """A query runs from now until `leave_query`; `cancel` ends it. Raises DeadlineExceeded."""
        self.check()
        self._cancel = cancel

    def leave_query(self) -> None:
        with self._lock:
            self._cancel = None

    def cancel(self) -> None:
        """End the query that runs now, if one does; the unit's thread gets the database's error."""
        with self._lock:
            if self._cancel is not None:
                self._cancel()

    def end(self, event: str, code: str, **more: Any) -> None:
        """Write the access line and tell the listeners; `more` is what only this transport knows."""
        watchdog.unwatch(self)
        seconds = time.perf_counter() - self._started
        self.code = code
        if self.cost is not None:
            more["cost"] = self.cost
        self._log.info(
            event,
            name=self.name[:MAX_NAME],
            code=code,
            ms=round(seconds * 1000, 1),
            queries=self.queries,
            sql_ms=round(self.sql_seconds * 1000, 2),
            actor=str(self.actor),
            **more,
        )
        for listener in listeners:
            listener(self, seconds)
        if self._span is not None:
            name = f"{self.transport} {self.name}"
            self._span.end(code, name=name, request_id=self.request_id, queries=self.queries)
        _current.set(self._outer or OUTSIDE)


class Watchdog:
    """The units of this process that have a deadline or a client, and the thread that ends what is over."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Start anew in a forked process: neither the parent's units nor its watching thread are there."""
        self._watched: set[UnitOfWork] = set()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None

    def watch(self, unit: UnitOfWork) -> bool:
        """Watch until `unwatch`; False when it is watched already."""
        if unit in self._watched:
            return False
        self._watched.add(unit)
        if not self._wake.is_set():
            self._wake.set()
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)
            self._thread.start()
        return True

    def unwatch(self, unit: UnitOfWork) -> None:
        self._watched.discard(unit)

    @contextmanager
    def hanging_up(self, hang_up: Callable[[], object], seconds: float) -> Iterator[None]:
        """Call `hang_up` when what is inside, a wait for the client, takes longer than `seconds`."""
        wait = UnitOfWork(time.monotonic() + seconds, hang_up)
        self.watch(wait)
        try:
            yield
        finally:
            self.unwatch(wait)

    def _run(self) -> None:
        while self._wake.wait():
            time.sleep(INTERVAL)
            self._wake.clear()
            for unit in tuple(self._watched):
                self._wake.set()
                if unit.is_over():
                    unit.cancel()


watchdog = Watchdog()  # of this process
os.register_at_fork(after_in_child=watchdog.forget)
listeners: list[Callable[[UnitOfWork, float], None]] = []  # called with each unit that ended and its seconds
OUTSIDE = UnitOfWork()  # shared by everything outside of a unit: never changed in a way that matters
_current: ContextVar[UnitOfWork] = ContextVar("unit_of_work", default=OUTSIDE)
current, make_current = _current.get, _current.set


def begin(
    transport: str,
    name: str = "",
    log: Any = None,
    *,
    request_id: str | None = None,
    carrier: Mapping[str, Any] | None = None,
    seconds: float | None = None,
    client: Client | None = None,
) -> UnitOfWork:
    """Begin a unit of work in this thread, until its `end`, which writes to `log`.

    The caller's request id is taken over when it is well-formed; `carrier` may hold its `traceparent`. `seconds` is
    how long the work may take; None means no deadline.
    """
    unit, outer = UnitOfWork(), _current.get()
    now = time.monotonic()
    unit.transport, unit.name, unit.client = transport, name, client
    unit.request_id = request_id if request_id and _ACCEPTABLE_ID.fullmatch(request_id) else uuid.uuid4().hex
    unit.arrived = now if outer.transport or outer.arrived is None else outer.arrived
    unit._log, unit._outer, unit._started = log, outer if outer.transport else None, time.perf_counter()
    if seconds is not None:
        unit.deadline = now + seconds
        watchdog.watch(unit)
    if trace.tracer is not None:
        unit._span = trace.begin(name, "consumer" if transport == "task" else "server", carrier)
    _current.set(unit)
    return unit
