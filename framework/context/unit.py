"""UnitOfWork: what is known of one request, call or task while it runs. One object, behind one ContextVar."""

import re
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol

from framework.actor import NOBODY, Actor
from framework.context import trace
from framework.context.watchdog import watchdog
from framework.errors import DeadlineExceeded

REQUEST_ID_HEADER = "X-Request-ID"
FRESH_HEADER = "X-Fresh"  # sent with a call whose reads must not come from a replica, because its caller has written
MAX_NAME = 100  # characters of a unit's name in its access line
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

    def __init__(self) -> None:
        self.transport = ""  # web, graphql, grpc or task; empty outside of any unit
        self.name = ""  # of the operation, method, page or task
        self.code = ""  # OK, or the name of an error
        self.request_id = ""
        self.actor = NOBODY
        self.arrived: float | None = None  # the three moments are on the clock of time.monotonic()
        self.deadline: float | None = None
        self.client: Client | None = None  # None where a client cannot be seen leaving: HTTP/1 behind a proxy
        self.cost: int | None = None  # of a GraphQL operation
        self.queries = 0
        self.sql_seconds = 0.0
        self.read_only = False  # it began as work that changes nothing
        self.wrote = False  # here or in another service
        self.read_from: str | None = None  # the database that answers reads now; None for the default
        self._lock = threading.Lock()  # held while cancelling, so that no later query is hit
        self._cancel: Callable[[], object] | None = None  # ends the query that runs now
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
        _current.set(self._outer or _OUTSIDE)


listeners: list[Callable[[UnitOfWork, float], None]] = []  # called with each unit that ended and its seconds
_OUTSIDE = UnitOfWork()  # shared by everything outside of a unit: never changed in a way that matters
_current: ContextVar[UnitOfWork] = ContextVar("unit_of_work", default=_OUTSIDE)

current = _current.get


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


def arrive(queued: float) -> None:
    """Record that the unit which begins next in this thread has waited `queued` seconds for the thread."""
    waiting = UnitOfWork()
    waiting.arrived = time.monotonic() - queued
    _current.set(waiting)


def clear() -> None:
    """Leave whatever unit this thread is in, without an access line: for tests."""
    _current.set(_OUTSIDE)


def request_id() -> str:
    """The id of the unit under way; empty outside of any."""
    return _current.get().request_id


def actor() -> Actor:
    """On whose behalf the work is done; NOBODY outside of any unit."""
    return _current.get().actor


def set_actor(actor: Actor) -> None:
    """Record on whose behalf the unit works, once the transport knows; remote calls and log lines carry it along."""
    unit = _current.get()
    if unit is _OUTSIDE:
        unit = UnitOfWork()
        _current.set(unit)
    unit.actor = actor


def age() -> float:
    """Seconds since the unit arrived, its wait for a thread included; 0 outside of any."""
    arrived = _current.get().arrived
    return 0.0 if arrived is None else time.monotonic() - arrived


def may_read_replica() -> bool:
    """Whether reads may be a little old: the unit began as read-only and has not written. Never outside of any."""
    unit = _current.get()
    return unit.read_only and not unit.wrote


def seconds_left() -> float | None:
    """Seconds until the deadline (negative once it has passed); None without one."""
    deadline = _current.get().deadline
    return None if deadline is None else deadline - time.monotonic()


def check_deadline() -> None:
    """Raise DeadlineExceeded once the time is up. For loops that would otherwise go on for nobody."""
    unit = _current.get()
    if unit.deadline is not None and time.monotonic() > unit.deadline:
        raise unit.exceeded()


@contextmanager
def acting_as(actor: Actor) -> Iterator[None]:
    """Calls inside are made on this actor's behalf, whoever the unit works for."""
    with _own() as unit:
        before, unit.actor = unit.actor, actor
        try:
            yield
        finally:
            unit.actor = before


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Give what is done inside `seconds`, or what is left when that is less; then its queries are cancelled."""
    with _own() as unit:
        before, limit = unit.deadline, time.monotonic() + seconds
        unit.deadline = limit if before is None else min(limit, before)
        added = watchdog.watch(unit)
        try:
            yield
        finally:
            if added:
                watchdog.unwatch(unit)
            unit.deadline = before


@contextmanager
def shielded() -> Iterator[None]:
    """What is done inside goes on although nobody waits any more: it writes down what became of the work."""
    with _own() as unit:
        before = unit.deadline, unit.client
        unit.deadline = unit.client = None
        try:
            yield
        finally:
            unit.deadline, unit.client = before


@contextmanager
def _own() -> Iterator[UnitOfWork]:
    """The unit under way; outside of any, one for as long as this lasts."""
    unit = _current.get()
    if unit is not _OUTSIDE:
        yield unit
        return
    _current.set(unit := UnitOfWork())
    try:
        yield unit
    finally:
        _current.set(_OUTSIDE)
