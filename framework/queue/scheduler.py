"""Beat: any number of them may run at once, and each due schedule is queued once."""

from datetime import UTC, datetime
from typing import Any

import structlog
from celery.beat import SchedulingError
from celery.schedules import BaseSchedule, schedstate
from django.core.exceptions import ObjectDoesNotExist
from django.db import Error, close_old_connections, transaction
from django.db.models import F, Q
from django_celery_beat.models import PeriodicTask
from django_celery_beat.schedulers import DatabaseScheduler, ModelEntry

from framework import context
from framework.errors import DeadlineExceeded
from framework.queue.crontab import next_run
from framework.queue.liveness import record_heartbeat, touch_liveness

log = structlog.get_logger("beat")

TICK = 30.0  # seconds one tick may take; a query that waits for longer is given up
DATABASE_ERRORS = (Error, DeadlineExceeded)


class Timetable(BaseSchedule):
    """A schedule that is due from the moment after `last_run_at` at which it should have run; by absolute time.

    Celery's own compare times of day, so they run early, late or twice when the clocks change.
    """

    def __init__(self, model: PeriodicTask) -> None:
        super().__init__()
        self._model = model

    def is_due(self, last_run_at: datetime) -> schedstate:
        now = datetime.now(UTC)
        due_at = self.next_after(last_run_at.astimezone(UTC))
        if due_at <= now:
            return schedstate(True, max(0.0, (self.next_after(now) - now).total_seconds()))
        return schedstate(False, (due_at - now).total_seconds())

    def __repr__(self) -> str:
        return str(self._model.scheduler)

    def next_after(self, moment: datetime) -> Any:
        """When it runs first after a moment in UTC."""
        if self._model.interval:
            return moment + self._model.interval.schedule.run_every
        return next_run(self._model.crontab.schedule, moment)


class Entry(ModelEntry):
    def __init__(self, model: PeriodicTask, app: Any = None) -> None:
        super().__init__(model, app=app)
        if model.crontab or model.interval:
            self.schedule = Timetable(model)


class Scheduler(DatabaseScheduler):
    """The beat that first moves an entry's `last_run_at` enqueues its task, in the same transaction.

    So there is no leader and no lease: a beat that dies misses nothing, a second one adds nothing. After any
    downtime an overdue entry runs once.
    """

    Entry = Entry

    def enabled_models_qs(self) -> Any:
        """All of them: the inherited one leaves out what is not due within two hours of the day, overdue or not."""
        return self.Model.objects.enabled().select_related("interval", "crontab")

    def tick(self, *args: Any, **kwargs: Any) -> float:
        """Enqueue what is due; returns the seconds until the next tick."""
        touch_liveness()
        try:
            with context.within(TICK):
                record_heartbeat("beat", at_most_every=10)
                return min([self._run_if_due(entry) for entry in list(self.schedule.values())] + [self.max_interval])
        except (*DATABASE_ERRORS, SchedulingError) as error:
            log.warning("waiting for the database", error=type(error).__name__)
            close_old_connections()
            return 1.0

    def _run_if_due(self, entry: ModelEntry) -> float:
        try:
            due, seconds = entry.is_due()
            if due:
                self.schedule[entry.name] = self.reserve(entry)
        except ObjectDoesNotExist:  # deleted in this moment
            return 1.0
        return float(seconds)

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
        """An entry that cannot be queued (staff gave it wrong arguments) must not hold up the others."""
        try:
            with transaction.atomic():
                self.apply_async(entry, advance=False)
        except Exception as error:
            if isinstance(error, DATABASE_ERRORS) or isinstance(error.__context__, DATABASE_ERRORS):
                raise
            log.exception("the scheduled task cannot be queued", schedule=entry.name, task=entry.task)

    def send_task(self, *args: Any, **kwargs: Any) -> None:
        """The base class would publish undeclared tasks directly, bypassing the queue."""
        raise LookupError("This process does not know the task.")

    def sync(self) -> None:
        """Nothing: `reserve` has written all. (The inherited one closes connections in the middle of `reserve`.)"""
