from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from framework.queue import table as queue
from framework.queue.models import QueuedTask

NOW = timedelta()
pytestmark = pytest.mark.django_db


def put(task_id: str = "t1", **values) -> QueuedTask:
    return QueuedTask.objects.create(task_id=task_id, task="queue.heartbeat", **values)


def row(task_id: str = "t1") -> QueuedTask:
    return QueuedTask.objects.get(task_id=task_id)


def make_due(task_id: str = "t1") -> None:
    QueuedTask.objects.filter(task_id=task_id).update(due_at=timezone.now() - timedelta(seconds=1))


def worker_dies() -> None:
    """And is not heard of for as long as it takes to notice."""
    past = timezone.now() - timedelta(seconds=1)
    QueuedTask.objects.filter(runs_until__isnull=False).update(runs_until=past, due_at=past)


def test_a_task_is_queued_with_the_callers_transaction():
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        queue.enqueue("t1", "queue.heartbeat", [], {}, {}, NOW)
        raise ZeroDivisionError

    assert not QueuedTask.objects.exists()


def test_a_due_task_is_claimed_once():
    queue.enqueue("t1", "queue.heartbeat", [1], {"a": "b"}, {"request_id": "r"}, NOW)

    (message,) = queue.claim_due()
    assert message[:-1] == ("t1", "queue.heartbeat", [1], {"a": "b"}, {"request_id": "r"}, 0)
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
    for _ in range(5):
        make_due()
        queue.mark_published(queue.claim_due())
        waits.append(round((row().due_at - timezone.now()).total_seconds() / 60))

    assert waits == [10, 20, 40, 80, 80]


def test_what_the_broker_did_not_take_is_due_again():
    put()
    queue.give_back(queue.claim_due())

    assert [message.task_id for message in queue.claim_due()] == ["t1"]


@pytest.mark.parametrize("tell", [queue.mark_published, queue.give_back])
def test_a_task_that_failed_before_the_relay_said_what_it_did_keeps_its_time(tell):
    put()
    claimed = queue.claim_due()
    queue.begin("t1", 0)
    queue.reschedule("t1", 1, timedelta(seconds=60))
    tell(claimed)

    assert 55 < (row().due_at - timezone.now()).total_seconds() < 65


def test_a_finished_task_does_not_begin_again():
    put()

    assert queue.begin("t1", 0)
    assert queue.finish("t1")
    assert not queue.finish("t1")
    assert not queue.begin("t1", 0)


def test_a_task_that_runs_does_not_begin_elsewhere():
    put()

    assert queue.begin("t1", 0)
    assert not any(queue.begin("t1", 0) for _ in range(5))
    assert row().parked_at is None
    assert queue.claim_due() == []


def test_a_task_whose_worker_went_silent_begins_anew():
    put()
    queue.begin("t1", 0)
    worker_dies()

    assert [message.task_id for message in queue.claim_due()] == ["t1"]
    assert queue.begin("t1", 0)
    assert row().starts == 2


def test_a_task_whose_worker_lives_is_kept():
    put()
    queue.begin("t1", 0)
    worker_dies()

    assert queue.keep("t1")
    assert not queue.begin("t1", 0)
    assert queue.claim_due() == []


def test_a_task_that_is_done_or_waits_is_not_kept():
    put("done")
    put("waits")
    for name in ("done", "waits"):
        queue.begin(name, 0)
    queue.finish("done")
    queue.reschedule("waits", 1, timedelta(seconds=60))

    assert not queue.keep("done")
    assert not queue.keep("waits")


def test_after_the_broker_lost_its_messages_all_that_has_not_started_is_due():
    for name in ("published", "running", "parked"):
        put(name, published=2, due_at=timezone.now() + timedelta(minutes=40))
    put("later", due_at=timezone.now() + timedelta(minutes=40))
    queue.begin("running", 0)
    queue.park("parked", "Traceback")

    assert queue.publish_again() == 1
    assert [message.task_id for message in queue.claim_due()] == ["published"]


def test_a_task_that_kills_its_worker_is_parked_after_three_starts():
    put()
    starts = []
    for _ in range(5):
        starts.append(queue.begin("t1", 0))
        worker_dies()

    assert starts == [True, True, True, False, False]
    assert row().parked_at is not None
    assert "died" in row().error
    make_due()
    assert queue.claim_due() == []


def test_a_clean_failure_starts_the_count_of_dead_workers_anew():
    put()
    for _ in range(3):
        queue.begin("t1", 0)
        worker_dies()
    queue.reschedule("t1", 1, NOW)

    assert queue.begin("t1", 1)


def test_an_old_message_does_not_run_a_task_that_waits_for_its_next_try():
    put()
    queue.begin("t1", 0)
    queue.reschedule("t1", 1, timedelta(seconds=60))

    assert not queue.begin("t1", 0)
    assert row().starts == 0


def test_a_failure_of_a_run_that_was_given_up_does_not_count_twice():
    put()

    assert queue.reschedule("t1", 1, NOW)
    assert not queue.reschedule("t1", 1, NOW)


def test_a_task_that_no_worker_knows_is_parked_when_no_release_can_be_under_way():
    put("new", published=1)
    put("removed", published=4)

    assert not queue.park_unknown("new")
    assert queue.park_unknown("removed")
    assert row("new").parked_at is None
    assert "No worker knows" in row("removed").error


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
