"""The queue's table: which tasks are still to be done, and who may run them.

All times are the database's, so the clocks of the hosts need not agree. A row that another transaction has locked is
being written by the worker that runs it, so nothing here waits long for such a row: it is passed over.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.db import connection, transaction
from django.db.models import F, Q, QuerySet, Value
from django.db.models.expressions import Combinable, RawSQL
from django.db.models.functions import Now

from framework.data.queries import CompiledWrite
from framework.queue.models import QueuedTask

NORMAL, BULK = PRIORITIES = (0, 1)  # the lower one first; each has a queue of its own at the broker
MAX_STARTS = 3  # a task that was begun this often without an end fails for good
LEASE = timedelta(seconds=30)  # a worker that has not renewed its lease for so long counts as dead
PAUSE = timedelta(seconds=30)  # before a task that a worker did not know is published again
LOCK_TRIES, LOCK_PAUSE = 5, 0.05  # tries, and seconds between two, to write a row that is locked
MAX_UNKNOWN = 60  # times published until a task that no worker knows fails for good: a release takes a while

log = structlog.get_logger("queue")


def enqueue(
    task_id: str,
    task: str,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    headers: Mapping[str, Any],
    due: datetime | timedelta = timedelta(),
    expires: datetime | timedelta | None = None,
    priority: int = NORMAL,
) -> QueuedTask:
    """Put a task into the queue as part of the caller's transaction. Arguments are ids and plain JSON values."""
    return QueuedTask.objects.create(
        task_id=task_id,
        task=task,
        args=list(args),
        kwargs=dict(kwargs),
        headers=dict(headers),
        due_at=moment(due),
        expires_at=None if expires is None else moment(expires),
        priority=priority,
    )


def begin(task_id: str, retries: int) -> bool:
    """A worker starts the task and gets a lease on it; False when it must not run.

    It must not run when it is done, failed, expired, running elsewhere, or waiting for a later try than this
    message's. A task whose worker died too often fails for good here.
    """
    if _when_unlocked(lambda: _LEASE.run(task_id, retries), lambda: _runnable(task_id, retries)):
        return True
    row = _waiting(task_id, retries)
    if row.exists():
        _give_up(task_id, row)
    return False


def _waiting(task_id: Any, retries: Any) -> QuerySet[QueuedTask]:
    return QueuedTask.objects.filter(free(), task_id=task_id, failed_at=None, retries=retries)


def _runnable(task_id: Any, retries: Any) -> QuerySet[QueuedTask]:
    return _waiting(task_id, retries).filter(Q(expires_at=None) | Q(expires_at__gt=Now()), starts__lt=MAX_STARTS)


def _lease() -> dict[str, Any]:
    until = moment(LEASE)
    return {"starts": F("starts") + 1, "times_published": 0, "leased_until": until, "due_at": until}


def _give_up(task_id: str, row: QuerySet[QueuedTask]) -> None:
    error = f"The worker died, or the task exceeded its time limit, in each of {MAX_STARTS} starts."
    if not _unlocked(task_id, row.filter(starts__gte=MAX_STARTS)).update(failed_at=Now(), error=error):
        expired, _ = _unlocked(task_id, row.filter(expires_at__lte=Now())).delete()
        log.info("not begun", task_id=task_id, expired=bool(expired))


def renew_leases(task_ids: Sequence[str]) -> None:
    """The tasks are still running here."""
    until = moment(LEASE)
    with transaction.atomic():
        running = QueuedTask.objects.filter(task_id__in=task_ids, leased_until__isnull=False)
        update_unlocked(running, leased_until=until, due_at=until)


def interrupt(task_id: str) -> None:
    """A shutdown ended the running task: it is due at once, and the start does not count."""
    row = QueuedTask.objects.filter(task_id=task_id, leased_until__isnull=False)
    row.update(leased_until=None, due_at=Now(), starts=F("starts") - 1)


def finish(task_id: str) -> bool:
    """The task is done. False when another delivery has done it, or is about to in a transaction of its own."""
    return _when_unlocked(lambda: _FINISH.run(task_id), lambda: QueuedTask.objects.filter(task_id=task_id))


def reschedule(
    task_id: str, retries: int, due: datetime | timedelta, args: Sequence[Any] = (), kwargs: Mapping[str, Any] = {}
) -> bool:
    """The task failed and is tried again later, with these arguments. False when it was done or rescheduled before."""
    row = QueuedTask.objects.filter(task_id=task_id, failed_at=None, retries__lt=retries)
    again = {"args": list(args), "kwargs": dict(kwargs), "retries": retries, "due_at": moment(due)}
    return _write(task_id, row, **again, starts=0, times_published=0, leased_until=None)


def fail(task_id: str, error: str) -> bool:
    """The task failed for good: it waits for staff to retry or drop it. False when it is done."""
    row = QueuedTask.objects.filter(task_id=task_id)
    return _write(task_id, row, failed_at=Now(), error=error.replace("\0", ""), leased_until=None)


def postpone_unknown(task_id: str) -> None:
    """A worker does not know the task: ask another after PAUSE. It fails for good after MAX_UNKNOWN workers."""
    row = QueuedTask.objects.filter(task_id=task_id, failed_at=None, leased_until=None)
    if not row.filter(times_published__lt=MAX_UNKNOWN).update(due_at=moment(PAUSE)) and row.exists():
        fail(task_id, "No worker knows this task: it was renamed, removed, or never deployed.")


def retry(task_ids: Sequence[str]) -> int:
    """Make failed tasks due again, as if they had never been tried; returns how many."""
    return QueuedTask.objects.filter(task_id__in=task_ids, failed_at__isnull=False).update(
        failed_at=None, due_at=Now(), starts=0, retries=0, times_published=0, leased_until=None
    )


def drop(task_ids: Sequence[str]) -> int:
    """Delete failed tasks; returns how many."""
    deleted, _ = QueuedTask.objects.filter(task_id__in=task_ids, failed_at__isnull=False).delete()
    return deleted


def free() -> Q:
    """Rows that no living worker runs."""
    return Q(leased_until=None) | Q(leased_until__lte=Now())


def _write(task_id: str, row: QuerySet[QueuedTask], **values: Any) -> bool:
    """Write these values to the task's row, if it is in `row`. False also when another transaction keeps it locked."""
    return _when_unlocked(lambda: _unlocked(task_id, row).update(**values), lambda: row)


def _when_unlocked(write: Callable[[], int], row: Callable[[], QuerySet[QueuedTask]]) -> bool:
    """Write a row, once no other transaction has locked it. False when it is not there, or is locked for long.

    The relay and lease renewals lock a row for milliseconds, which is waited for; a longer lock is another delivery's,
    which is writing the task's effect.
    """
    for _ in range(LOCK_TRIES):
        if write():
            return True
        if not row().exists():
            return False
        time.sleep(LOCK_PAUSE)
    return False


def _unlocked(task_id: Any, row: QuerySet[QueuedTask]) -> QuerySet[QueuedTask]:
    """The row, unless another transaction has locked it. (Django's select_for_update would need a transaction.)"""
    lock = "FOR UPDATE SKIP LOCKED" if connection.features.has_select_for_update_skip_locked else ""
    pk = RawSQL(f"SELECT id FROM queue_queuedtask WHERE task_id = %s {lock}", [task_id])  # noqa: S608, S611
    return row.filter(pk=pk)


def update_unlocked(rows: QuerySet[QueuedTask], **values: Any) -> int:
    """Update the rows that no other transaction has locked; to be called in a transaction. Returns how many."""
    unlocked = rows.select_for_update(skip_locked=True).values("pk")
    return QueuedTask.objects.filter(pk__in=unlocked).update(**values)


def moment(due: datetime | timedelta) -> datetime | Combinable:
    """A time as it is; a timedelta from now, by the database's clock."""
    if isinstance(due, timedelta):
        return Now() + Value(due) if due else Now()
    return due


# Each task runs these two.
_LEASE = CompiledWrite(lambda task_id, retries: _unlocked(task_id, _runnable(task_id, retries)), _lease)
_FINISH = CompiledWrite(lambda task_id: _unlocked(task_id, QueuedTask.objects.all()))
