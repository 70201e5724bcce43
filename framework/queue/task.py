"""The base of every Celery task: enqueued with the caller's transaction, run until done."""

import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, TypeVar

import celery
import structlog
from celery import current_task
from celery.exceptions import Reject, Retry
from django.db import Error, connection, transaction

from framework import context
from framework.actor import SYSTEM
from framework.context import trace
from framework.errors import FINAL, DomainError
from framework.queue import running
from framework.queue import table as queue

T = TypeVar("T")
log = structlog.get_logger("task")
access_log = structlog.get_logger("access.task")

QUERIES = 0.95  # of a task's time: then a query is cancelled, as the signals that come next would leave it running
DATABASE_DOWN = 30  # seconds a worker waits for the database, a task in its hands
CANVAS = ("link", "link_error", "chain", "chord", "group_id")


class AlreadyDone(Exception):
    """Another delivery of the same task has had its effect."""


class Task(celery.Task):  # type: ignore[type-arg]
    """`delay` and `apply_async` write a row in the caller's transaction; the relay publishes it after the commit.

    A task that raises is tried again, later each time; a refusal that trying again cannot help is final.
    """

    acks_late = True
    reject_on_worker_lost = True
    autoretry_for = (Exception,)
    dont_autoretry_for = (AlreadyDone, *FINAL)
    max_retries = 5
    retry_backoff = 2  # seconds, doubled each time
    retry_backoff_max = 600
    retry_jitter = True
    ignore_result = True

    def apply_async(  # type: ignore[override]
        self,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        task_id: str | None = None,
        countdown: float | None = None,
        eta: datetime | None = None,
        headers: Mapping[str, Any] | None = None,
        retries: int = 0,
        **options: Any,
    ) -> Any:
        """Raises TypeError for arguments the task does not take, or that are not plain JSON values."""
        task_id = task_id or uuid.uuid4().hex
        due = eta if eta and not countdown else timedelta(seconds=countdown or 0)
        if retries:
            self._reschedule(task_id, retries, due)
            return self.AsyncResult(task_id)
        if any(options.get(name) for name in CANVAS):
            raise TypeError(
                "Chains, groups and callbacks would not survive a crash: let the task enqueue the next one."
            )
        self.__header__(*(args or ()), **(kwargs or {}))  # type: ignore[attr-defined]
        queue.enqueue(task_id, self.name, args or (), kwargs or {}, self._headers(headers), due)
        return self.AsyncResult(task_id)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        message, task_id = self.request, self.request.id
        headers = message.headers or {}
        if task_id is None or not headers.get("queued"):
            return super().__call__(*args, **kwargs)
        if _patiently(lambda: queue.begin(task_id, message.retries)):
            with running.kept(task_id, self._seconds()):
                self._run_logged(args, kwargs, headers)
            _patiently(lambda: queue.finish(task_id))
        return None

    def _run_logged(self, args: Sequence[Any], kwargs: Mapping[str, Any], headers: Mapping[str, Any]) -> None:
        unit = context.begin("task", self.name, access_log, request_id=headers.get("request_id"), carrier=headers)
        unit.actor = SYSTEM
        code = "INTERNAL"
        try:
            with context.within(self._seconds() * QUERIES):
                self.run(*args, **kwargs)
            code = "OK"
        except AlreadyDone:
            code = "DONE_BEFORE"
        except Exception as error:
            cause = error.exc if isinstance(error, Retry) else error
            code = cause.code if isinstance(cause, DomainError) else type(cause).__name__
            raise
        finally:
            unit.end("task", code, task_id=self.request.id, retries=self.request.retries)

    def _reschedule(self, task_id: str, retries: int, due: datetime | timedelta) -> None:
        _mend_connection()
        with context.shielded():
            rescheduled = queue.reschedule(task_id, retries, due)
        if not rescheduled:
            log.error("failed after its effect: not tried again", task=self.name, task_id=task_id)

    def on_failure(self, exc: Exception, task_id: str, args: Any, kwargs: Any, einfo: Any) -> None:
        """The last try has failed: keep it, with its traceback, for somebody to look at."""
        _mend_connection()
        try:
            queue.park(task_id, str(einfo))
        except Error:
            log.exception("cannot be parked: tried again instead", task=self.name, task_id=task_id)

    def _seconds(self) -> float:
        """How long it may run: what a pool of threads cannot enforce, the queue does."""
        return float(self.time_limit or self.app.conf.task_time_limit or 3600)

    def _headers(self, headers: Mapping[str, Any] | None) -> dict[str, Any]:
        passed_on = {"request_id": context.request_id() or None} | trace.headers()
        return {"queued": True} | passed_on | dict(headers or {})


@contextmanager
def once() -> Iterator[None]:
    """Make the running task's effect happen once, however often the task is delivered.

    What is written inside, and the note that the task is done, are one transaction. It ends the task: what follows
    is not tried again. For effects outside of this database (mail, another service) it cannot help: have them before
    it, with a key the other side knows, or enqueue a task of their own inside it.
    """
    message: Any = current_task.request if current_task else None
    queued = message is not None and bool((message.headers or {}).get("queued"))
    if queued and getattr(message, "effect_is_written", False):
        raise RuntimeError("A task has one once(): by the second, the queue has forgotten it.")
    with transaction.atomic():
        if queued and not queue.finish(str(message.id)):
            raise AlreadyDone
        yield
    if queued:
        message.effect_is_written = True


def on_unknown(id: str = "", name: str = "", **_: Any) -> None:  # noqa: A002 - Celery's name for it
    """A worker got a task that it does not know."""
    _mend_connection()
    try:
        queue.park_unknown(id)
    except Error:
        log.exception("cannot be parked: it comes again", task=name, task_id=id)


def _patiently(act: Callable[[], T]) -> T:
    """Wait for a database that is down; raises Reject after DATABASE_DOWN, so that another worker may try."""
    end = time.monotonic() + DATABASE_DOWN
    while True:
        try:
            return act()
        except Error as error:
            log.warning("waiting for the database", error=type(error).__name__)
            if time.monotonic() > end or connection.in_atomic_block:
                raise Reject(error, requeue=True) from error
            time.sleep(1)
            _mend_connection()


def _mend_connection() -> None:
    """A broken one may be what the task failed of."""
    if not connection.in_atomic_block:
        connection.close_if_unusable_or_obsolete()
