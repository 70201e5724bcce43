"""The queue's table: what is still to be done, and what became of it.

Every moment here is the database's, so the clocks of the hosts need not agree.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import Case, F, Q, Value, When
from django.db.models.expressions import Combinable
from django.db.models.functions import Now

from framework.queue.models import QueuedTask

BATCH = 100
MAX_STARTS = 3  # a task whose worker died this often is failed
CLAIM = timedelta(seconds=10)  # for publishing one batch
LEASE = timedelta(seconds=30)  # a running task that was not heard of for so long is taken for dead
REPUBLISH_AFTER = timedelta(
    minutes=10
)  # then a published task that did not start is published again, and later each time
MAX_DOUBLINGS = 3
UNKNOWN = 3  # times published, until a task that the workers do not know is failed: a release takes a while


class Message(NamedTuple):
    task_id: str
    task: str
    args: list[Any]
    kwargs: dict[str, Any]
    headers: dict[str, Any]
    retries: int
    claimed_until: datetime  # tells this claim from what others do with the row meanwhile


def enqueue(
    task_id: str,
    task: str,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    headers: Mapping[str, Any],
    due: datetime | timedelta,
) -> None:
    """Put a task into the queue as part of the caller's transaction. Arguments are ids and plain JSON values."""
    QueuedTask.objects.create(
        task_id=task_id,
        task=task,
        args=list(args),
        kwargs=dict(kwargs),
        headers=dict(headers),
        queued_at=Now(),
        due_at=_moment(due),
    )


def claim_due() -> list[Message]:
    """Take what is due for publishing, for the length of CLAIM; several relays never take the same.

    A relay that dies with its batch costs that long, no more.
    """
    due = QueuedTask.objects.filter(failed_at=None, due_at__lte=Now()).order_by("due_at")
    if not due.exists():  # spares SQLite a write lock each time
        return []
    with transaction.atomic():
        rows = list(due.select_for_update(skip_locked=True).annotate(now=Now())[:BATCH])
        if not rows:
            return []
        until = rows[0].now + CLAIM
        QueuedTask.objects.filter(pk__in=[row.pk for row in rows]).update(due_at=until)
    return [Message(row.task_id, row.task, row.args, row.kwargs, row.headers, row.retries, until) for row in rows]


def mark_published(messages: Sequence[Message]) -> None:
    """The broker has them: publish again only after REPUBLISH_AFTER, doubled with each time."""
    later = Case(
        *(When(times_published=times, then=_moment(REPUBLISH_AFTER * 2**times)) for times in range(MAX_DOUBLINGS)),
        default=_moment(REPUBLISH_AFTER * 2**MAX_DOUBLINGS),
    )
    _claimed(messages).update(due_at=later, times_published=F("times_published") + 1)


def release_claim(messages: Sequence[Message]) -> None:
    """The broker did not take them: they are due again."""
    _claimed(messages).update(due_at=Now())


def publish_again() -> int:
    """The broker may have lost what it was given: all that has not started is due; returns how many."""
    waiting = QueuedTask.objects.filter(failed_at=None, leased_until=None, times_published__gt=0)
    return waiting.update(due_at=Now(), times_published=0)


def begin(task_id: str, retries: int) -> bool:
    """A worker starts the task, unless it must not.

    It must not when the task is done, failed, running elsewhere, waiting for a later try than this message is of,
    or has killed its worker too often (it is failed then).
    """
    free = Q(leased_until=None) | Q(leased_until__lte=Now())
    row = QueuedTask.objects.filter(free, task_id=task_id, failed_at=None, retries=retries)
    until = _moment(LEASE)
    if row.filter(starts__lt=MAX_STARTS).update(starts=F("starts") + 1, leased_until=until, due_at=until):
        return True
    if row.exists():
        fail(task_id, f"The worker died, or the task ran out of time, in each of {MAX_STARTS} tries.")
    return False


def renew_lease(task_id: str) -> bool:
    """The task is still running. False when it does not run any more, as far as the table knows."""
    row = QueuedTask.objects.filter(task_id=task_id, leased_until__isnull=False)
    return bool(row.update(leased_until=_moment(LEASE), due_at=_moment(LEASE)))


def finish(task_id: str) -> bool:
    """The task is done. False when it was done already (by a second delivery)."""
    deleted, _ = QueuedTask.objects.filter(task_id=task_id).delete()
    return bool(deleted)


def reschedule(task_id: str, retries: int, due: datetime | timedelta) -> bool:
    """The task failed and is tried again later. False when it was done, failed or rescheduled meanwhile."""
    row = QueuedTask.objects.filter(task_id=task_id, failed_at=None, retries__lt=retries)
    return bool(row.update(due_at=_moment(due), retries=retries, starts=0, times_published=0, leased_until=None))


def fail(task_id: str, error: str) -> bool:
    """Give the task up until somebody looks at it; it holds up nothing. False when it is done."""
    row = QueuedTask.objects.filter(task_id=task_id)
    return bool(row.update(failed_at=Now(), error=error.replace("\0", ""), leased_until=None))


def fail_unknown(task_id: str) -> bool:
    """A worker does not know the task: fail it once it has been published so often that no release is under way."""
    unknown = QueuedTask.objects.filter(task_id=task_id, times_published__gte=UNKNOWN).exists()
    return unknown and fail(task_id, "No worker knows this task: it was renamed, removed, or never deployed.")


def retry(task_ids: Sequence[str]) -> int:
    """Try failed tasks again from the start; returns how many."""
    return QueuedTask.objects.filter(task_id__in=task_ids, failed_at__isnull=False).update(
        failed_at=None, due_at=Now(), starts=0, retries=0, times_published=0, leased_until=None
    )


def drop(task_ids: Sequence[str]) -> int:
    """Delete failed tasks for good; returns how many."""
    deleted, _ = QueuedTask.objects.filter(task_id__in=task_ids, failed_at__isnull=False).delete()
    return deleted


def _claimed(messages: Sequence[Message]) -> Any:
    """Those of one claim that nobody has touched since: a task may have run, or failed, before the relay says so."""
    untouched = Q(due_at=messages[0].claimed_until) if messages else Q(pk__in=[])
    return QueuedTask.objects.filter(untouched, task_id__in=[message.task_id for message in messages])


def _moment(due: datetime | timedelta) -> datetime | Combinable:
    if isinstance(due, timedelta):
        return Now() + Value(due) if due else Now()
    return due
