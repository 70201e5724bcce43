import pytest
from celery.schedules import crontab, schedule
from django.core.exceptions import ImproperlyConfigured
from django_celery_beat.models import IntervalSchedule, PeriodicTask

import framework.queue.tasks  # noqa: F401 - registers the task
from framework.queue.models import DeclaredSchedule
from framework.queue.schedules import reconcile

pytestmark = pytest.mark.django_db

DAILY = {"report": {"task": "queue.heartbeat", "schedule": crontab(hour="6", minute="0")}}
HOURLY = {"report": {"task": "queue.heartbeat", "schedule": crontab(minute="0")}}


def report() -> PeriodicTask:
    return PeriodicTask.objects.get(name="report")


def test_a_declared_schedule_is_created_and_stays():
    assert reconcile(DAILY) == {"report": "created"}
    assert reconcile(DAILY) == {"report": "current"}
    assert (report().crontab.hour, report().enabled) == ("6", True)


def test_a_change_in_the_code_arrives():
    reconcile(DAILY)

    assert reconcile(HOURLY) == {"report": "current"}
    assert report().crontab.hour == "*"


def test_what_staff_edited_is_kept_and_marked():
    reconcile(DAILY)
    hourly = IntervalSchedule.objects.create(every=2, period="hours")
    PeriodicTask.objects.filter(name="report").update(crontab=None, interval=hourly)

    assert reconcile(HOURLY) == {"report": "kept as edited"}
    assert (report().interval, report().crontab) == (hourly, None)
    assert DeclaredSchedule.objects.get(name="report").edited


def test_what_staff_switched_off_stays_off():
    reconcile(DAILY)
    PeriodicTask.objects.filter(name="report").update(enabled=False)

    assert reconcile(HOURLY) == {"report": "kept as edited"}
    assert not report().enabled


def test_what_staff_deleted_stays_deleted():
    reconcile(DAILY)
    report().delete()

    assert reconcile(DAILY) == {"report": "kept as deleted"}
    assert not PeriodicTask.objects.exists()


def test_a_schedule_that_left_the_code_is_disabled_and_comes_back_enabled():
    reconcile(DAILY)

    assert reconcile({}) == {"report": "disabled"}
    assert not report().enabled
    reconcile(DAILY)
    assert report().enabled


def test_a_schedule_that_staff_made_is_left_alone():
    mine = IntervalSchedule.objects.create(every=1, period="days")
    PeriodicTask.objects.create(name="mine", task="queue.heartbeat", interval=mine)
    reconcile({"every": {"task": "queue.heartbeat", "schedule": schedule(30)}})

    assert PeriodicTask.objects.get(name="mine").enabled


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"task": "of.nobody"}, "'of.nobody', which no tasks.py declares"),
        ({"args": (1, 2)}, "wrong arguments"),
        ({"options": {"queue": "fast"}}, "options queue"),
    ],
)
def test_a_schedule_that_could_never_run_is_refused_by_name(wrong, why):
    with pytest.raises(ImproperlyConfigured, match=f"'bad'.*{why}"):
        reconcile(DAILY | {"bad": DAILY["report"] | wrong})

    assert not PeriodicTask.objects.filter(name__in=["report", "bad"]).exists()
