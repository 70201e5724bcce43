"""Work for nobody stops: past its deadline, or once its caller has gone, a call's queries are cancelled.

Setting a statement timeout would cost each call a round trip. Here a call only enters a set, each query names
the connection it runs on, and one thread looks at the calls in flight twenty times a second. It also hangs up on
callers that keep a thread waiting for what they have to send. The same place counts queries for the access line, and
notes that something was written.
"""

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any, Protocol

from django.db import OperationalError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from framework.context import call, trace
from framework.errors import DeadlineExceeded

LOOK_EVERY = 0.05  # seconds
CANCEL_TIMEOUT = 1.0  # seconds, for the message that cancels
MAX_QUERY = 2000  # characters of a query in a trace


class Client(Protocol):
    """Who waits for the result, as far as can be told: a gRPC context, for one."""

    def is_active(self) -> bool: ...


class Unseen:
    """A client that cannot be seen leaving: HTTP/1 behind a proxy."""

    def is_active(self) -> bool:
        return True


class Work:
    """One call in flight, or a part of one that has less time."""

    def __init__(self, client: Client, deadline: float, outer: "Work | None" = None) -> None:
        self.client = client
        self.deadline = deadline  # on the clock of time.monotonic()
        self.outer = outer
        self._lock = threading.Lock()  # held while cancelling, so that no later query is hit
        self._runs_on: BaseDatabaseWrapper | None = None

    def is_over(self) -> bool:
        """Whether nobody waits for the result any more."""
        return time.monotonic() > self.deadline or not self.client.is_active()

    def check(self) -> None:
        """Raise DeadlineExceeded when nobody waits for the result any more."""
        if self.is_over():
            raise DeadlineExceeded("The caller no longer waits for this.")

    def query(self, connection: BaseDatabaseWrapper, execute: Callable[[], Any]) -> Any:
        """Run one statement so that `cancel` can reach it."""
        self.check()
        self._runs_on = connection
        try:
            return execute()
        except OperationalError as error:
            self._end_instead_of(error)
            raise
        finally:
            with self._lock:
                self._runs_on = None

    def _end_instead_of(self, error: OperationalError) -> None:
        """A query that was cancelled is no fault of the database."""
        if self.is_over():
            raise DeadlineExceeded("The caller no longer waits for this.") from error

    def cancel(self) -> None:
        """End the statement that runs now, if one does; its thread gets the database's error."""
        with self._lock:
            if self._runs_on is not None:
                _cancel(self._runs_on)


class Wait:
    """A thread's wait for what the caller has to send."""

    def __init__(self, hang_up: Callable[[], object], deadline: float) -> None:
        self.cancel = hang_up  # the thread gets grpc's error
        self.deadline = deadline  # on the clock of time.monotonic()

    def is_over(self) -> bool:
        return time.monotonic() > self.deadline


class Watchdog:
    """What is in flight in this process, and the thread that ends what is over."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Begin anew in a forked process: the parent's calls, and the thread that watches them, are not here."""
        self._watched: set[Work | Wait] = set()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None

    def begin(self, client: Client, deadline: float) -> Work:
        """Watch over the work this thread begins, until `end`."""
        return self._begin(Work(client, deadline))

    def begin_part(self, deadline: float) -> Work:
        """The same over a part of the work under way, if any: for its client, and no longer than itself."""
        outer = _current.get()
        if outer is None:
            return self.begin(Unseen(), deadline)
        return self._begin(Work(outer.client, min(deadline, outer.deadline), outer))

    def _begin(self, work: Work) -> Work:
        self._watch(work)
        _current.set(work)
        return work

    def end(self, work: Work) -> None:
        self._watched.discard(work)
        _current.set(work.outer)

    @contextlib.contextmanager
    def waiting(self, hang_up: Callable[[], object], seconds: float) -> Iterator[None]:
        """Call `hang_up` if what is inside, a wait for the caller, takes longer."""
        wait = Wait(hang_up, time.monotonic() + seconds)
        self._watch(wait)
        try:
            yield
        finally:
            self._watched.discard(wait)

    def _watch(self, watched: Work | Wait) -> None:
        self._watched.add(watched)
        if not self._wake.is_set():
            self._wake.set()
        if self._thread is None:
            self._start()

    def _start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while self._wake.wait():
            time.sleep(LOOK_EVERY)
            self._wake.clear()
            for watched in tuple(self._watched):
                self._wake.set()
                if watched.is_over():
                    watched.cancel()


watchdog = Watchdog()  # of this process
os.register_at_fork(after_in_child=watchdog.forget)


@contextlib.contextmanager
def within(seconds: float) -> Iterator[None]:
    """`call.within` that also holds for queries: one that still runs then ends with DeadlineExceeded."""
    with call.within(seconds):
        work = watchdog.begin_part(time.monotonic() + seconds)
        try:
            yield
        finally:
            watchdog.end(work)


@contextlib.contextmanager
def regardless() -> Iterator[None]:
    """What became of the work is written down inside, also when nobody waits for it any more."""
    outer = _current.get()
    _current.set(None)
    try:
        yield
    finally:
        _current.set(outer)


_current: ContextVar[Work | None] = ContextVar("work", default=None)


def guard_queries() -> None:
    """Have every connection of this process count its queries, and ask before each whether somebody still waits."""
    connection_created.connect(_guard, dispatch_uid="framework.context.work")
    for connection in connections.all(initialized_only=True):
        _guard(connection)


def _guard(connection: BaseDatabaseWrapper, **_: Any) -> None:
    if _run_guarded not in connection.execute_wrappers:
        connection.execute_wrappers.append(_run_guarded)


def _run_guarded(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
    record, started = call.record(), time.perf_counter()
    text = str(sql)  # psycopg's composed statements come by here, too
    record.wrote = record.wrote or not text.startswith("SELECT")
    try:
        if trace.tracer is None:
            return _run(execute, sql, params, many, context)
        with trace.span(text.partition(" ")[0].upper(), "client", **_described(text, context["connection"])):
            return _run(execute, sql, params, many, context)
    finally:
        record.queries += 1
        record.sql_seconds += time.perf_counter() - started


def _run(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
    work = _current.get()
    if work is None:
        return execute(sql, params, many, context)
    return work.query(context["connection"], lambda: execute(sql, params, many, context))


def _described(sql: str, connection: BaseDatabaseWrapper) -> dict[str, str]:
    """What a trace shows of a query: its text, in which the values are placeholders."""
    return {"db.system.name": connection.vendor, "db.query.text": sql[:MAX_QUERY]}


def _cancel(connection: BaseDatabaseWrapper) -> None:
    # The connection may break at this very moment; then there is nothing left to cancel.
    with contextlib.suppress(Exception):
        if connection.vendor == "postgresql":
            connection.connection.cancel_safe(timeout=CANCEL_TIMEOUT)
        elif connection.vendor == "sqlite":
            connection.connection.interrupt()
