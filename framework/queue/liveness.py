"""Two signs of life: a file for the container's health check, and heartbeats in the database for operators."""

import time
from datetime import datetime

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, transaction
from django.db.models import F
from django.db.models.functions import Now

from framework.queue.models import Heartbeat

_recorded: dict[str, float] = {}  # when this process last recorded each heartbeat, on the clock of time.monotonic()


def touch_liveness() -> None:
    """Touch ALIVE_FILE so that the container's health check can tell that the main loop is running."""
    if settings.ALIVE_FILE:
        settings.ALIVE_FILE.touch()


def record_heartbeat(name: str, *, at_most_every: float = 0) -> None:
    """Record that this part of the system works now; a second call within `at_most_every` seconds does nothing."""
    now = time.monotonic()
    if at_most_every and now - _recorded.get(name, -at_most_every) < at_most_every:
        return
    with transaction.atomic():
        Heartbeat.objects.bulk_create(
            [Heartbeat(name=name, at=Now())], update_conflicts=True, unique_fields=["name"], update_fields=["at"]
        )
    _recorded[name] = now


def last_heartbeat(name: str) -> datetime | None:
    """When that part of the system last recorded a heartbeat; None for never."""
    return Heartbeat.objects.filter(name=name).values_list("at", flat=True).first()


def heartbeat_ages(database: str = DEFAULT_DB_ALIAS) -> dict[str, float]:
    """Seconds since each part's last heartbeat, by the database's clock."""
    rows = Heartbeat.objects.using(database).annotate(age=Now() - F("at")).values_list("name", "age")
    return {name: age.total_seconds() for name, age in rows}
