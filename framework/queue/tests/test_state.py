from datetime import timedelta

import pytest
from celery import current_app as app
from django.utils import timezone
from structlog.testing import capture_logs

from framework.queue import liveness, relay, state
from framework.queue.models import Heartbeat, QueuedTask

pytestmark = pytest.mark.django_db


def put(task_id: str, *, due: float, runs: float | None = None, **values) -> None:
    now = timezone.now()
    leased_until = None if runs is None else now + timedelta(seconds=runs)
    QueuedTask.objects.create(
        task_id=task_id, task="t", due_at=now + timedelta(seconds=due), leased_until=leased_until, **values
    )


def test_an_empty_queue_has_nothing_of_anything():
    assert state.queue_state() == (0, 0, 0, 0, 0, 0, 0.0)


def test_each_row_is_counted_once():
    put("due", due=-90)
    put("its worker died", due=-5, runs=-5, times_published=1)
    put("delayed", due=60)
    put("at the broker", due=60, times_published=1)
    put("its worker died, published again", due=60, runs=-60, times_published=2)
    put("running", due=30, runs=30, times_published=1)
    put("failed", due=-600, failed_at=timezone.now())

    found = state.queue_state()

    assert found[:6] == (2, 1, 1, 1, 1, 1)
    assert 89 < found.oldest_due < 95


def test_heartbeats_have_ages():
    Heartbeat.objects.create(name="beat", at=timezone.now() - timedelta(seconds=300))

    assert liveness.heartbeat_ages() == {"beat": pytest.approx(300, abs=5)}


def test_the_relay_reports_what_waits_now_and_then():
    put("due", due=-90)
    put("at the broker", due=60, times_published=1)
    put("its worker died, published again", due=60, runs=-60, times_published=2)
    put("delayed", due=60)
    put("running", due=30, runs=30, times_published=1)
    checks = relay._Checks(app)
    with capture_logs() as lines:
        checks.run()
        checks.run()

    (line,) = [line for line in lines if line["event"] == "queue"]
    assert (line["event"], line["waiting"], line["running"], line["failed"]) == ("queue", 3, 1, 0)
