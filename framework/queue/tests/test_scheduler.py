from datetime import UTC, datetime, timedelta

import pytest
from celery import current_app as app
from celery.schedules import crontab, schedule
from django.db import OperationalError
from django.utils import timezone
from django_celery_beat.models import PeriodicTask

import framework.queue.tasks  # noqa: F401 - registers the task
from framework.errors import DeadlineExceeded
from framework.queue import scheduler as module
from framework.queue import table
from framework.queue.models import QueuedTask
from framework.queue.scheduler import Scheduler
from framework.queue.schedules import reconcile

pytestmark = pytest.mark.django_db(transaction=True)  # beat looks after its connection itself


@pytest.fixture
def due():
    reconcile({"beat": {"task": "queue.heartbeat", "schedule": schedule(60)}})
    PeriodicTask.objects.update(last_run_at=timezone.now() - timedelta(seconds=61))


def beat() -> Scheduler:
    scheduler = Scheduler(app=app, lazy=True)
    scheduler.schedule  # noqa: B018 - reads the table, as a start does
    return scheduler


def tick(scheduler: Scheduler) -> None:
    """Until nothing is due."""
    for _ in range(20):
        if scheduler.tick() > 0:
            return


def test_a_due_entry_is_queued_once(due):
    one = beat()
    tick(one)
    tick(one)

    assert list(QueuedTask.objects.values_list("task", flat=True)) == ["queue.heartbeat"]


def test_a_tick_that_takes_too_long_is_not_lost(due, monkeypatch):
    one = beat()
    monkeypatch.setattr(module, "TICK", -1)
    assert one.tick() == 1.0
    assert not QueuedTask.objects.exists()

    monkeypatch.undo()
    tick(one)
    assert list(QueuedTask.objects.values_list("task", flat=True)) == ["queue.heartbeat"]


def test_an_entry_that_took_too_long_to_queue_is_not_lost(due, monkeypatch):
    def late(*_, **__):
        raise DeadlineExceeded("The caller no longer waits for this.")

    one = beat()
    monkeypatch.setattr(table, "enqueue", late)
    tick(one)
    monkeypatch.undo()
    tick(one)

    assert list(QueuedTask.objects.values_list("task", flat=True)) == ["queue.heartbeat"]
    assert PeriodicTask.objects.get(name="beat").total_run_count == 1


def test_two_beats_that_saw_the_same_entry_queue_it_once(due):
    one, two = beat(), beat()
    tick(one)
    tick(two)

    assert QueuedTask.objects.count() == 1
    assert PeriodicTask.objects.get(name="beat").total_run_count == 1


def test_a_beat_that_lost_goes_on_with_what_the_other_wrote(due):
    one, two = beat(), beat()
    tick(one)
    tick(two)
    PeriodicTask.objects.filter(name="beat").update(last_run_at=timezone.now() - timedelta(seconds=61))
    for scheduler in (one, two):
        scheduler._initial_read = True
        scheduler._heap = None
        tick(scheduler)

    assert QueuedTask.objects.count() == 2


def test_a_tick_that_the_database_did_not_take_is_not_lost(due, monkeypatch):
    def die(*_, **__):
        raise OperationalError("the connection was closed")

    one = beat()
    seen = PeriodicTask.objects.get(name="beat").last_run_at
    with monkeypatch.context() as patch:
        patch.setattr(table, "enqueue", die)
        assert one.tick() > 0
    assert PeriodicTask.objects.get(name="beat").last_run_at == seen
    tick(one)

    assert QueuedTask.objects.count() == 1


@pytest.mark.parametrize("wrong", [{"args": "[1, 2, 3]"}, {"task": "of.another.service"}])
def test_a_schedule_that_cannot_be_queued_does_not_hold_up_others(due, wrong):
    PeriodicTask.objects.filter(name="beat").update(**wrong)
    reconcile({"other": {"task": "queue.heartbeat", "schedule": schedule(60)}})
    PeriodicTask.objects.update(last_run_at=timezone.now() - timedelta(seconds=61))
    tick(beat())

    assert QueuedTask.objects.count() == 1


@pytest.fixture
def clock(monkeypatch):
    """Call it to set beat's clock."""

    class Clock(datetime):
        at = datetime.now(UTC)

        @classmethod
        def now(cls, tz=None):
            return cls.at.astimezone(tz)

    def set_to(text: str) -> datetime:
        Clock.at = datetime.fromisoformat(text).replace(tzinfo=UTC)
        return Clock.at

    monkeypatch.setattr(module, "datetime", Clock)
    monkeypatch.setattr(module.Entry, "_default_now", lambda _: Clock.at)
    return set_to


def queued_at(clock, scheduler: Scheduler, moments: list[str]) -> list[str]:
    """At which of the moments a tick has queued something."""
    found = []
    for moment in moments:
        clock(moment)
        before = QueuedTask.objects.count()
        tick(scheduler)
        found += [moment] * (QueuedTask.objects.count() - before)
    return found


def test_a_daily_entry_missed_in_a_downtime_is_made_up_once_and_then_runs_at_its_hour(clock):
    reconcile({"daily": {"task": "queue.heartbeat", "schedule": crontab(minute="0", hour="6")}})
    PeriodicTask.objects.update(last_run_at=clock("2026-11-02 06:00"))
    moments = ["2026-11-03 09:30", "2026-11-03 23:00", "2026-11-04 04:30", "2026-11-04 05:59", "2026-11-04 06:00"]
    made_up, next_day = moments[0], moments[-1]
    clock(made_up)

    assert queued_at(clock, beat(), [*moments, "2026-11-04 06:01"]) == [made_up, next_day]


def test_an_interval_is_the_same_while_the_clocks_change(clock, monkeypatch):
    monkeypatch.setattr(app.conf, "timezone", "Europe/Berlin")
    reconcile({"often": {"task": "queue.heartbeat", "schedule": schedule(600)}})
    PeriodicTask.objects.update(last_run_at=clock("2026-10-25 00:55"))  # 2:55; at 1:00 UTC it is 2:00 again
    moments = ["2026-10-25 01:00", "2026-10-25 01:05", "2026-10-25 01:10", "2026-10-25 01:15"]

    assert queued_at(clock, beat(), moments) == ["2026-10-25 01:05", "2026-10-25 01:15"]


def test_the_options_that_staff_set_reach_the_queue(due):
    PeriodicTask.objects.update(priority=table.BULK, expire_seconds=30)
    tick(beat())

    row = QueuedTask.objects.get()
    assert row.priority == table.BULK
    assert 20 < (row.expires_at - timezone.now()).total_seconds() < 40


def test_an_option_of_staff_that_the_queue_does_not_take_is_logged(due, lines):
    PeriodicTask.objects.update(queue="fast")
    tick(beat())

    assert not QueuedTask.objects.exists()
    assert [line["schedule"] for line in lines("the scheduled task cannot be queued")] == ["beat"]
