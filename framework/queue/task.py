"""The base of every Celery task: enqueued with the caller's transaction, run until done."""

import json
import re
import signal
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, TypeVar

import celery
import structlog
from billiard.common import terminate_handler_fired  # type: ignore[attr-defined]
from celery import current_task
from celery.exceptions import Ignore, Reject, Retry, TimeLimitExceeded
from django.db import Error, connection, transaction

from framework import context
from framework.actor import SYSTEM
from framework.context import trace
from framework.errors import FINAL, DomainError
from framework.queue import lease, outbox, publisher, table
from framework.queue.celery_settings import SOFT_LIMIT, TIME_LIMIT

T = TypeVar("T")
log = structlog.get_logger("task")
access_log = structlog.get_logger("access.task")

QUERIES = 0.95  # of a task's time limit: then its query is cancelled, as a signal would leave it running
DATABASE_DOWN = 30  # seconds a worker waits for the database before it gives a task back
MAX_TASK_ID = 64  # characters
TAKES = ("task_id", "countdown", "eta", "expires", "priority", "headers")
RETRY_TAKES = ("args", "kwargs", "exc", "throw", "countdown", "eta", "max_retries")
SET_BY_CELERY = ("producer", "ignore_result")
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")  # in JSON


class AlreadyDone(Exception):
    """Another delivery of the same task has had its effect, or is having it."""


class Task(celery.Task):  # type: ignore[type-arg]
    """`delay` and `apply_async` write a row in the caller's transaction; the relay publishes it after the commit.

    A task that raises is tried again, later each time; an error of framework.errors.FINAL fails it for good.
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
    priority = table.NORMAL

    @classmethod
    def bind(cls, app: celery.Celery) -> Any:
        """Derive the soft limit from the task's own limit, or the global soft limit would end the task earlier."""
        if "time_limit" in vars(cls) and "soft_time_limit" not in vars(cls):
            cls.soft_time_limit = cls.time_limit and cls.time_limit * SOFT_LIMIT  # type: ignore[assignment]
        return super().bind(app)

    def apply_async(  # type: ignore[override]
        self,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        task_id: str | None = None,
        countdown: float | None = None,
        eta: datetime | None = None,
        headers: Mapping[str, Any] | None = None,
        retries: int = 0,
        expires: float | datetime | None = None,
        priority: int | None = None,
        **options: Any,
    ) -> Any:
        """Enqueue the task as part of the caller's transaction.

        `countdown` and a number for `expires` are seconds from now; an expired task is dropped instead of begun.
        `priority` is table.NORMAL or table.BULK. Raises TypeError, before anything is written, for arguments the
        task does not take or that are not plain JSON, and for options of Celery that the queue does not take.
        """
        task_id = task_id or uuid.uuid4().hex
        args, kwargs = args or (), kwargs or {}
        due = eta if eta and not countdown else timedelta(seconds=countdown or 0)
        text = self._checked_json(task_id, args, kwargs, headers)
        if retries:
            self._reschedule(task_id, retries, due, args, kwargs)
            return self.AsyncResult(task_id)
        _refuse(self.name, options, TAKES)
        args, kwargs = json.loads(text)
        priority = self._priority(priority)
        soon = not due and priority == table.NORMAL and publisher.takes_tasks()
        row = table.enqueue(
            task_id,
            self.name,
            args,
            kwargs,
            self._headers(headers),
            outbox.HEAD_START if soon else due,
            timedelta(seconds=expires) if isinstance(expires, int | float) else expires,
            priority,
        )
        if soon:
            publisher.publish_on_commit(row)
        return self.AsyncResult(task_id)

    def retry(self, *args: Any, **options: Any) -> Any:
        """As Celery's, `args` and `kwargs` included; raises TypeError for options that the queue does not take."""
        _refuse(self.name, options, RETRY_TAKES)
        return super().retry(*args, **options)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        message, task_id = self.request, self.request.id
        headers = message.headers or {}
        if task_id is None or not headers.get("queued"):
            return super().__call__(*args, **kwargs)
        if not _patiently(lambda: table.begin(task_id, message.retries)):
            # Not a success: of a task that succeeded, Celery would not cancel the copy that is still running.
            raise Ignore("This message is a copy: the task is done, waits for its next try, or runs elsewhere.")
        with _interruptible(task_id), lease.held(task_id, self._seconds()):
            self._run_logged(args, kwargs, headers)
            if not getattr(message, "effect_is_written", False):
                _patiently(lambda: table.finish(task_id))
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
            raise Ignore("Another delivery of the task has had its effect.") from None
        except Exception as error:
            cause = error.exc if isinstance(error, Retry) else error
            code = cause.code if isinstance(cause, DomainError) else type(cause).__name__
            raise
        finally:
            unit.end("task", code, task_id=self.request.id, retries=self.request.retries)

    def _reschedule(
        self, task_id: str, retries: int, due: datetime | timedelta, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> None:
        _replace_broken_connection()
        with context.shielded():
            rescheduled = table.reschedule(task_id, retries, due, args, kwargs)
        if not rescheduled:
            log.error("the task failed after its effect: it is not tried again", task=self.name, task_id=task_id)

    def on_failure(self, exc: Exception, task_id: str, args: Any, kwargs: Any, einfo: Any) -> None:
        """The last try has failed: keep the task, with its traceback, for staff to look at."""
        if isinstance(exc, TimeLimitExceeded):
            return  # its process was killed: the lease runs out, and the start counts
        _replace_broken_connection()
        try:
            table.fail(task_id, str(einfo))
        except Error:
            log.exception("the task cannot be marked as failed: it is tried again", task=self.name, task_id=task_id)

    def _seconds(self) -> float:
        """The task's time limit. The lease ends with it, also in a pool of threads, which Celery cannot interrupt."""
        return float(self.time_limit or TIME_LIMIT)

    def _headers(self, headers: Mapping[str, Any] | None) -> dict[str, Any]:
        passed_on = {"request_id": context.request_id() or None} | trace.headers()
        return {"queued": True} | passed_on | dict(headers or {})

    def _priority(self, chosen: int | None) -> int:
        priority = self.priority if chosen is None else chosen
        if priority not in table.PRIORITIES:
            raise TypeError(f"{self.name}: priority must be table.NORMAL (0) or table.BULK (1), not {priority!r}.")
        return priority

    def _checked_json(
        self, task_id: str, args: Sequence[Any], kwargs: Mapping[str, Any], headers: Mapping[str, Any] | None
    ) -> str:
        """The arguments as JSON. Raises TypeError for what the task does not take, or the queue cannot store."""
        self.__header__(*args, **kwargs)  # type: ignore[attr-defined]
        if len(task_id) > MAX_TASK_ID:
            raise TypeError(f"{self.name}: task_id has more than {MAX_TASK_ID} characters.")
        try:
            text = json.dumps([list(args), dict(kwargs)], allow_nan=False, ensure_ascii=False)
            rest = json.dumps([task_id, headers], allow_nan=False, ensure_ascii=False)
            f"{text}{rest}".encode()  # refuses half a surrogate pair, as PostgreSQL would
        except (TypeError, ValueError, RecursionError) as error:
            raise TypeError(f"{self.name}: its arguments are not plain JSON values: {error}") from error
        if _NUL.search(text) or _NUL.search(rest):
            raise TypeError(f"{self.name}: its arguments have a NUL character, which PostgreSQL cannot store.")
        return text


@contextmanager
def once() -> Iterator[None]:
    """Make the running task's effect happen once, however often the task is delivered.

    What is written inside, and the deletion of the task's row, are one transaction. It ends the task: what follows
    is not tried again. For effects outside of this database (mail, another service) it cannot help: have them before
    it, with a key the other side knows, or enqueue a task of their own inside it. While another delivery is inside,
    this one ends without waiting.
    """
    message: Any = current_task.request if current_task else None
    queued = message is not None and bool((message.headers or {}).get("queued"))
    if queued and getattr(message, "effect_is_written", False):
        raise RuntimeError("A task may use once() only once: after it, the task's row is gone.")
    with transaction.atomic():
        if queued and not table.finish(str(message.id)):
            raise AlreadyDone
        yield
    if queued:
        message.effect_is_written = True


def _refuse(task: str, options: Mapping[str, Any], takes: Sequence[str]) -> None:
    refused = sorted(name for name, value in options.items() if value and name not in (*takes, *SET_BY_CELERY))
    if refused:
        raise TypeError(
            f"{task}: the queue does not take {', '.join(refused)}. It takes {', '.join(takes)}. Set time limits on the"
            " task. Instead of chains, groups and callbacks, which would not survive a crash, let the task enqueue the"
            " next one."
        )


def on_unknown(id: str = "", name: str = "", **_: Any) -> None:  # noqa: A002 - Celery's name for it
    """A worker got a task that it does not know, as happens while a release is rolled out."""
    _replace_broken_connection()
    try:
        table.postpone_unknown(id)
    except Error:
        log.exception("an unknown task cannot be postponed", task=name, task_id=id)


@contextmanager
def _interruptible(task_id: str) -> Iterator[None]:
    """Give the task back at once when a shutdown of the worker ends it inside: it did nothing wrong."""
    try:
        yield
    except SystemExit:
        if terminate_handler_fired():
            _give_back(task_id)
        raise


def _give_back(task_id: str) -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGQUIT})  # the second would kill this process
    connection.close()  # the signal may have come in the middle of a query
    try:
        with context.shielded():
            table.interrupt(task_id)
    except Error:
        log.warning("an interrupted task cannot be given back: it waits until its lease ends", task_id=task_id)


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
            _replace_broken_connection()


def _replace_broken_connection() -> None:
    """The task may have failed because its connection broke: then close it, and the next query opens another."""
    if not connection.in_atomic_block:
        connection.close_if_unusable_or_obsolete()
