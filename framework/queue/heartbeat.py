"""Who has shown lately that it works: beat, relay, and the whole way through the queue."""

import time
from datetime import datetime

from django.utils import timezone

from framework.queue.models import Heartbeat

_noted: dict[str, float] = {}


def note(name: str, *, at_most_every: float = 0) -> None:
    """Say that this part works now; a second note within so many seconds costs nothing."""
    now = time.monotonic()
    if at_most_every and now - _noted.get(name, -at_most_every) < at_most_every:
        return
    Heartbeat.objects.update_or_create(name=name, defaults={"at": timezone.now()})
    _noted[name] = now


def last(name: str) -> datetime | None:
    """When that part last showed that it works; None for never."""
    return Heartbeat.objects.filter(name=name).values_list("at", flat=True).first()
