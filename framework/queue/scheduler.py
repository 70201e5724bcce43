"""Beat, with any number of them at once and one tick each time something is due."""

from typing import Any

import structlog
from celery.beat import SchedulingError
from django.core.exceptions import ObjectDoesNotExist
from django.db import Error, close_old_connections, transaction
from django.db.models import F, Q
from django_celery_beat.schedulers import DatabaseScheduler, ModelEntry

from framework import context
from framework.errors import DeadlineExceeded
from framework.queue import alive, heartbeat

log = structlog.get_logger("beat")

TICK = 30.0  # seconds one may take; a query that waits for longer is given up
NOT_ITS_FAULT = (Error, DeadlineExceeded)  # but the database's


class Scheduler(DatabaseScheduler):
    """Whoever first moves an entry's `last_run_at` from the value it saw sends the task, in the same transaction.

    So no beat leads and no lease has to run out: a beat that dies costs no tick, a second one adds none.
    """

    def reserve(self, entry: ModelEntry) -> ModelEntry:
        seen = entry.last_run_at
        reserved = next(entry)
        with transaction.atomic():
            row = self.Model.objects.filter(Q(last_run_at=seen) | Q(last_run_at=None), pk=entry.model.pk)
            if row.update(last_run_at=reserved.last_run_at, total_run_count=F("total_run_count") + 1):
                self._enqueue(entry)
        reserved.model.refresh_from_db()
        return self.Entry(reserved.model, app=self.app)

    def _enqueue(self, entry: ModelEntry) -> None:
        """A schedule that cannot be queued (staff gave it wrong arguments) must not hold up the others."""
        try:
            with transaction.atomic():
                self.apply_async(entry, advance=False)
        except Exception as error:
            if isinstance(error, NOT_ITS_FAULT) or isinstance(error.__context__, NOT_ITS_FAULT):
                raise
            log.exception("cannot be queued", schedule=entry.name, task=entry.task)

    def send_task(self, *args: Any, **kwargs: Any) -> None:
        """Past the queue, the inherited one would send what is not declared here."""
        raise LookupError("This process does not know the task.")

    def apply_entry(self, entry: ModelEntry, producer: Any = None) -> None:
        """`reserve` has sent it."""

    def sync(self) -> None:
        """Nothing is left to write. (The inherited one closes connections, in the middle of `reserve`.)"""

    def tick(self, *args: Any, **kwargs: Any) -> float:
        alive.show()
        try:
            with context.within(TICK):
                heartbeat.note("beat", at_most_every=10)
                return float(super().tick(*args, **kwargs))
        except (*NOT_ITS_FAULT, SchedulingError, ObjectDoesNotExist) as error:  # the last: deleted in this moment
            log.warning("starting over", error=type(error).__name__)
            close_old_connections()
            self._heap = None  # the entry at hand was taken off it
            return 1.0
