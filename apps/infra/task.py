"""The base of every Celery task: enqueued with the caller's transaction, run until done."""

import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import celery
import structlog
from celery import current_task
from django.db import transaction
from django.utils import timezone

from apps.common import call
from apps.common.actor import SYSTEM
from apps.common.errors import FINAL
from apps.infra import queue

log = structlog.get_logger("access.task")


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
        due_at = timezone.now() + timedelta(seconds=countdown) if countdown else eta
        if retries:
            queue.reschedule(task_id, retries, due_at or timezone.now())
        else:
            self.__header__(*(args or ()), **(kwargs or {}))  # type: ignore[attr-defined]
            queue.enqueue(task_id, self.name, args or (), kwargs or {}, self._headers(headers), due_at)
        return self.AsyncResult(task_id)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        message = self.request
        headers = message.headers or {}
        if message.id is None or not headers.get("queued"):
            return super().__call__(*args, **kwargs)
        call.start(headers.get("request_id"))
        call.set_actor(SYSTEM)
        if queue.begin(message.id):
            self._run_logged(args, kwargs)
            queue.finish(message.id)
        return None

    def _run_logged(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        started, result = time.perf_counter(), "failed"
        try:
            self.run(*args, **kwargs)
            result = "done"
        except AlreadyDone:
            result = "done before"
        finally:
            ms = round((time.perf_counter() - started) * 1000, 1)
            log.info("task", task=self.name, task_id=self.request.id, result=result, ms=ms)

    def on_failure(self, exc: Exception, task_id: str, args: Any, kwargs: Any, einfo: Any) -> None:
        """The last try has failed: keep it, with its traceback, for somebody to look at."""
        queue.park(task_id, str(einfo))

    def _headers(self, headers: Mapping[str, Any] | None) -> dict[str, Any]:
        return {"queued": True, "request_id": call.request_id() or None} | dict(headers or {})


@contextmanager
def once() -> Iterator[None]:
    """Make the running task's effect happen once, however often the task is delivered.

    What is written inside, and the note that the task is done, are one transaction. For effects outside of this
    database (mail, another service) it cannot help: send those after it, with a key the other side knows.
    """
    message = current_task.request if current_task else None
    with transaction.atomic():
        if message and (message.headers or {}).get("queued") and not queue.finish(str(message.id)):
            raise AlreadyDone
        yield
