from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from apps.infra import queue
from apps.infra.models import QueuedTask

pytestmark = pytest.mark.django_db


def put(task_id: str = "t1", **values) -> QueuedTask:
    return QueuedTask.objects.create(task_id=task_id, task="infra.heartbeat", **values)


def row(task_id: str = "t1") -> QueuedTask:
    return QueuedTask.objects.get(task_id=task_id)


def make_due(task_id: str = "t1") -> None:
    QueuedTask.objects.filter(task_id=task_id).update(due_at=timezone.now() - timedelta(seconds=1))


def test_a_task_is_queued_with_the_callers_transaction():
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        queue.enqueue("t1", "infra.heartbeat", [], {}, {}, None)
        raise ZeroDivisionError

    assert not QueuedTask.objects.exists()


def test_a_due_task_is_claimed_once():
    queue.enqueue("t1", "infra.heartbeat", [1], {"a": "b"}, {"request_id": "r"}, None)

    assert queue.claim_due() == [queue.Message("t1", "infra.heartbeat", [1], {"a": "b"}, {"request_id": "r"}, 0)]
    assert queue.claim_due() == []


def test_a_task_is_not_claimed_before_it_is_due():
    put(due_at=timezone.now() + timedelta(seconds=60))

    assert queue.claim_due() == []


def test_a_claim_of_a_relay_that_died_runs_out():
    put()
    queue.claim_due()
    make_due()

    assert [message.task_id for message in queue.claim_due()] == ["t1"]


def test_a_published_task_is_published_again_later_each_time():
    put()
    waits = []
    for _ in range(7):
        make_due()
        (message,) = queue.claim_due()
        queue.mark_published([message.task_id])
        waits.append(round((row().due_at - timezone.now()).total_seconds() / 60))

    assert waits == [2, 4, 8, 16, 32, 64, 64]


def test_a_retry_that_was_planned_meanwhile_is_not_put_off_by_the_relay():
    put()
    queue.claim_due()
    queue.reschedule("t1", 1, timezone.now() - timedelta(seconds=1))
    queue.mark_published(["t1"])

    assert [message.retries for message in queue.claim_due()] == [1]


def test_a_finished_task_does_not_begin_again():
    put()

    assert queue.begin("t1")
    assert queue.finish("t1")
    assert not queue.finish("t1")
    assert not queue.begin("t1")


def test_a_task_that_kills_its_worker_is_parked_after_three_starts():
    put()

    assert [queue.begin("t1") for _ in range(5)] == [True, True, True, False, False]
    assert row().parked_at is not None
    assert row().error == "The worker died in each of 3 tries."
    make_due()
    assert queue.claim_due() == []


def test_a_clean_failure_starts_the_count_of_dead_workers_anew():
    put()
    for _ in range(3):
        queue.begin("t1")
    queue.reschedule("t1", 1, timezone.now())

    assert queue.begin("t1")


def test_a_parked_task_can_be_tried_again_or_dropped():
    put("t1")
    put("t2")
    put("waiting")
    queue.park("t1", "Traceback")
    queue.park("t2", "Traceback")

    assert queue.unpark(["t1", "waiting"]) == 1
    assert queue.drop(["t1", "t2", "waiting"]) == 1
    assert sorted(QueuedTask.objects.values_list("task_id", flat=True)) == ["t1", "waiting"]
    assert row("t1").parked_at is None


def test_looking_at_an_empty_queue_takes_one_query(django_assert_num_queries):
    with django_assert_num_queries(1):
        queue.claim_due()
