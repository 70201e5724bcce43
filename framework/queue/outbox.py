"""The relay's view of the queue's table: which rows are to be published, and which were."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import Case, F, Q, QuerySet, Value, When
from django.db.models.functions import Now

from framework.queue.models import QueuedTask
from framework.queue.table import PRIORITIES, free, moment, update_unlocked

BATCH = 100
# Of the process that enqueued a task; then the relay publishes it, unless it is noted as published.
HEAD_START = timedelta(seconds=2)
CLAIM = timedelta(seconds=10)  # for publishing one batch; so messages overtake each other by no more
LOST_AFTER = timedelta(seconds=30)  # a published task that no worker began, once the broker has no more messages
REPUBLISH_AFTER = timedelta(minutes=10)  # while the broker has messages; doubled each time
MAX_DOUBLINGS = 3


class Message(NamedTuple):
    task_id: str
    task: str
    args: list[Any]
    kwargs: dict[str, Any]
    headers: dict[str, Any]
    priority: int
    retries: int
    taken_up: datetime  # when it was claimed, or enqueued, by the database's clock: never after it was published


def claim_due() -> list[Message]:
    """Claim up to BATCH due rows of one priority, the most urgent first, for the time CLAIM.

    Several relays never claim the same row. The claim of a relay that died runs out.
    """
    due = QueuedTask.objects.filter(failed_at=None, due_at__lte=Now())
    if not due.filter(priority__in=PRIORITIES).exists():  # spares SQLite a write lock each time
        return []
    return next(filter(None, (_claim(due.filter(priority=priority)) for priority in PRIORITIES)), [])


def _claim(due: QuerySet[QueuedTask]) -> list[Message]:
    with transaction.atomic():
        rows = list(due.order_by("due_at").select_for_update(skip_locked=True).annotate(now=Now())[:BATCH])
        if not rows:
            return []
        now = rows[0].now
        QueuedTask.objects.filter(pk__in=[row.pk for row in rows]).update(due_at=now + CLAIM)
    return [message(row, now) for row in rows]


def message(row: QueuedTask, taken_up: datetime) -> Message:
    return Message._make([*(getattr(row, name) for name in Message._fields[:-1]), taken_up])


def mark_published(messages: Sequence[Message]) -> None:
    """The broker has the messages: publish them again only after REPUBLISH_AFTER, doubled each time."""
    again = Case(
        *(When(times_published=times, then=moment(REPUBLISH_AFTER * 2**times)) for times in range(MAX_DOUBLINGS)),
        default=moment(REPUBLISH_AFTER * 2**MAX_DOUBLINGS),
    )
    _claimed(messages).update(due_at=again, published_at=Now(), times_published=F("times_published") + 1)


def mark_first_published(task_ids: Sequence[str]) -> None:
    """The broker has these tasks from the process that enqueued them. Rows that others have touched stay."""
    untouched = QueuedTask.objects.filter(task_id__in=task_ids, due_at=F("queued_at") + Value(HEAD_START))
    untouched.update(due_at=moment(REPUBLISH_AFTER), published_at=Now(), times_published=1)


def release_claim(messages: Sequence[Message], pause: timedelta = timedelta()) -> None:
    """The broker did not take the messages: they are due again, after the pause."""
    _claimed(messages).update(due_at=moment(pause))


def publish_again() -> int:
    """The broker was wiped: all it was given and no living worker runs is due; returns how many rows."""
    with transaction.atomic():
        return update_unlocked(_published(), due_at=Now(), times_published=0)


def publish_lost(priority: int, reached: datetime | None) -> int:
    """Make due what was published, has not begun, and cannot be at the broker any more; returns how many rows.

    Messages of one priority are taken in the order in which they were published, so none is older than `reached`, the
    one that is taken next. None: no message waits.
    """
    passed = Now() - Value(LOST_AFTER) if reached is None else reached - CLAIM
    lost = _published().filter(priority=priority, published_at__lte=passed, due_at__gt=Now())
    if not lost.exists():  # spares SQLite a write lock each time
        return 0
    with transaction.atomic():
        return update_unlocked(lost, due_at=Now())


def _claimed(messages: Sequence[Message]) -> QuerySet[QueuedTask]:
    """Those of one claim that nobody has touched since: a task may have run, or failed, before the relay says so."""
    untouched = Q(due_at=messages[0].taken_up + CLAIM) if messages else Q(pk__in=[])
    return QueuedTask.objects.filter(untouched, task_id__in=[message.task_id for message in messages])


def _published() -> QuerySet[QueuedTask]:
    """Rows that were given to the broker and that no living worker runs."""
    return QueuedTask.objects.filter(free(), failed_at=None, times_published__gt=0)
