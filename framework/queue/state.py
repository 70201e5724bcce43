"""The queue as its operators see it: how much waits for what, and since when."""

from typing import NamedTuple

from django.db import DEFAULT_DB_ALIAS
from django.db.models import Count, F, Max, Q
from django.db.models.functions import Now

from framework.queue.models import Heartbeat, QueuedTask


class QueueState(NamedTuple):
    """Each row is in one of the first six."""

    due: int  # the relay has yet to publish it
    later: int  # it is not due yet: a delay, or a pause before the next try
    carried: int  # the broker has it, and no worker has begun
    silent: int  # the same, but it had to be published again: the workers do not come round to it
    running: int
    parked: int  # given up, until somebody looks at it
    oldest_due: float  # seconds for which the oldest due row has been waiting


def queue_state() -> QueueState:
    """One look at the whole table."""
    kept = Q(parked_at=None)
    idle = kept & (Q(runs_until=None) | Q(runs_until__lte=Now()))
    due, waits = idle & Q(due_at__lte=Now()), idle & Q(due_at__gt=Now())
    found = QueuedTask.objects.annotate(age=Now() - F("due_at")).aggregate(
        due=Count("pk", filter=due),
        later=Count("pk", filter=waits & Q(published=0)),
        carried=Count("pk", filter=waits & Q(published=1)),
        silent=Count("pk", filter=waits & Q(published__gt=1)),
        running=Count("pk", filter=kept & Q(runs_until__gt=Now())),
        parked=Count("pk", filter=~kept),
        oldest_due=Max("age", filter=due),
    )
    oldest = found.pop("oldest_due")
    return QueueState(oldest_due=oldest.total_seconds() if oldest else 0.0, **found)


def heartbeat_ages(database: str = DEFAULT_DB_ALIAS) -> dict[str, float]:
    """Seconds since each part of the system last showed that it works, by the database's clock."""
    rows = Heartbeat.objects.using(database).annotate(age=Now() - F("at")).values_list("name", "age")
    return {name: age.total_seconds() for name, age in rows}
