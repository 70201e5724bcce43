"""The queue's table: what is still to be done, and what became of it."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import Case, F, Value, When
from django.utils import timezone

from apps.infra.models import QueuedTask

BATCH = 100
MAX_STARTS = 3  # a task whose worker died this often is parked
LEASE = timedelta(seconds=10)  # for publishing one batch
SILENCE = timedelta(minutes=2)  # then a published task that is not done is published again, and later each time
MAX_DOUBLINGS = 5


class Message(NamedTuple):
    task_id: str
    task: str
    args: list[Any]
    kwargs: dict[str, Any]
    headers: dict[str, Any]
    retries: int


def enqueue(
    task_id: str,
    task: str,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    headers: Mapping[str, Any],
    due_at: datetime | None,
) -> None:
    """Put a task into the queue as part of the caller's transaction. Arguments are ids and plain JSON values."""
    QueuedTask.objects.create(
        task_id=task_id,
        task=task,
        args=list(args),
        kwargs=dict(kwargs),
        headers=dict(headers),
        due_at=due_at or timezone.now(),
    )


def claim_due() -> list[Message]:
    """Take what is due for publishing, for the length of LEASE; several relays never take the same.

    A relay that dies with its batch costs that long, no more.
    """
    now = timezone.now()
    due = QueuedTask.objects.filter(parked_at=None, due_at__lte=now).order_by("due_at")
    if not due.exists():  # spares SQLite a write lock each time
        return []
    with transaction.atomic():
        rows = list(due.select_for_update(skip_locked=True)[:BATCH])
        QueuedTask.objects.filter(pk__in=[row.pk for row in rows]).update(due_at=now + LEASE)
    return [Message(row.task_id, row.task, row.args, row.kwargs, row.headers, row.retries) for row in rows]


def mark_published(task_ids: Sequence[str]) -> None:
    """The broker has them: publish again only after SILENCE, doubled with each time."""
    now = timezone.now()
    later = Case(
        *(When(published=times, then=Value(now + SILENCE * 2**times)) for times in range(MAX_DOUBLINGS)),
        default=Value(now + SILENCE * 2**MAX_DOUBLINGS),
    )
    # Not those that failed meanwhile and are due at a time of their own.
    QueuedTask.objects.filter(task_id__in=task_ids, due_at__gt=now).update(due_at=later, published=F("published") + 1)


def begin(task_id: str) -> bool:
    """A worker starts the task. False: it is done, or parked, or parked now because it killed its worker too often."""
    row = QueuedTask.objects.filter(task_id=task_id, parked_at=None)
    if not row.update(starts=F("starts") + 1):
        return False
    if row.filter(starts__gt=MAX_STARTS).exists():
        park(task_id, f"The worker died in each of {MAX_STARTS} tries.")
        return False
    return True


def finish(task_id: str) -> bool:
    """The task is done. False when it was done already (by a second delivery)."""
    deleted, _ = QueuedTask.objects.filter(task_id=task_id).delete()
    return bool(deleted)


def reschedule(task_id: str, retries: int, due_at: datetime) -> None:
    """The task failed and is tried again later."""
    QueuedTask.objects.filter(task_id=task_id).update(due_at=due_at, retries=retries, starts=0, published=0)


def park(task_id: str, error: str) -> None:
    """Give the task up until somebody looks at it; it holds up nothing."""
    QueuedTask.objects.filter(task_id=task_id).update(parked_at=timezone.now(), error=error)


def unpark(task_ids: Sequence[str]) -> int:
    """Try parked tasks again from the start; returns how many."""
    return QueuedTask.objects.filter(task_id__in=task_ids, parked_at__isnull=False).update(
        parked_at=None, due_at=timezone.now(), starts=0, retries=0, published=0
    )


def drop(task_ids: Sequence[str]) -> int:
    """Delete parked tasks for good; returns how many."""
    deleted, _ = QueuedTask.objects.filter(task_id__in=task_ids, parked_at__isnull=False).delete()
    return deleted
