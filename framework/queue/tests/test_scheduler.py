from datetime import timedelta

import pytest
from celery import current_app as app
from celery.schedules import schedule
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
