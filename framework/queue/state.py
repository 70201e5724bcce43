"""The state of the queue for metrics and logs: how many tasks wait for what, and for how long."""

from typing import NamedTuple

from django.db.models import Count, F, Max, Q
from django.db.models.functions import Now

from framework.queue.models import QueuedTask


class QueueState(NamedTuple):
    """Each row is in one of the first six."""

    due: int  # the relay has yet to publish it
    scheduled: int  # not due yet: a countdown, an eta, or a pause before the next try
    published: int  # the broker has it, and no worker has begun it
    stalled: int  # published more than once, and still no worker has begun it
    running: int
    failed: int  # for good: it waits for staff to retry or drop it
    oldest_due: float  # seconds for which the oldest due row has been waiting


def queue_state() -> QueueState:
    """Count the rows by state, in one query over the whole table."""
    pending = Q(failed_at=None)
    idle = pending & (Q(leased_until=None) | Q(leased_until__lte=Now()))
    due, waits = idle & Q(due_at__lte=Now()), idle & Q(due_at__gt=Now())
    found = QueuedTask.objects.annotate(age=Now() - F("due_at")).aggregate(
        due=Count("pk", filter=due),
        scheduled=Count("pk", filter=waits & Q(times_published=0)),
        published=Count("pk", filter=waits & Q(times_published=1)),
        stalled=Count("pk", filter=waits & Q(times_published__gt=1)),
        running=Count("pk", filter=pending & Q(leased_until__gt=Now())),
        failed=Count("pk", filter=~pending),
        oldest_due=Max("age", filter=due),
    )
    oldest = found.pop("oldest_due")
    return QueueState(oldest_due=oldest.total_seconds() if oldest else 0.0, **found)
