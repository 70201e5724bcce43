import threading
import time
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from framework.queue import outbox, relay, table
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
    QueuedTask.objects.filter(leased_until__isnull=False).update(leased_until=past, due_at=past)


def test_a_task_is_queued_with_the_callers_transaction():
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        table.enqueue("t1", "queue.heartbeat", [], {}, {}, NOW)
        raise ZeroDivisionError

    assert not QueuedTask.objects.exists()


def test_a_due_task_is_claimed_once():
    table.enqueue("t1", "queue.heartbeat", [1], {"a": "b"}, {"request_id": "r"}, NOW)

    (message,) = outbox.claim_due()
    assert message[:-1] == ("t1", "queue.heartbeat", [1], {"a": "b"}, {"request_id": "r"}, table.NORMAL, 0)
    assert outbox.claim_due() == []


def test_a_task_is_not_claimed_before_it_is_due():
    put(due_at=timezone.now() + timedelta(seconds=60))

    assert outbox.claim_due() == []


def test_a_claim_of_a_relay_that_died_runs_out():
    put()
    outbox.claim_due()
    make_due()

    assert [message.task_id for message in outbox.claim_due()] == ["t1"]


def test_a_published_task_is_published_again_later_each_time():
    put()
    waits = []
    for _ in range(5):
        make_due()
        outbox.mark_published(outbox.claim_due())
        waits.append(round((row().due_at - timezone.now()).total_seconds() / 60))

    assert waits == [10, 20, 40, 80, 80]


def test_what_the_broker_did_not_take_is_due_again():
    put()
    outbox.release_claim(outbox.claim_due())

    assert [message.task_id for message in outbox.claim_due()] == ["t1"]


@pytest.mark.parametrize("tell", [outbox.mark_published, outbox.release_claim])
def test_a_task_that_failed_before_the_relay_said_what_it_did_keeps_its_time(tell):
    put()
    claimed = outbox.claim_due()
    table.begin("t1", 0)
    table.reschedule("t1", 1, timedelta(seconds=60))
    tell(claimed)

    assert 55 < (row().due_at - timezone.now()).total_seconds() < 65


def test_a_finished_task_does_not_begin_again():
    put()

    assert table.begin("t1", 0)
    assert table.finish("t1")
    assert not table.finish("t1")
    assert not table.begin("t1", 0)


def test_a_task_that_runs_does_not_begin_elsewhere():
    put()

    assert table.begin("t1", 0)
    assert not any(table.begin("t1", 0) for _ in range(5))
    assert row().failed_at is None
    assert outbox.claim_due() == []


def test_a_task_whose_lease_ran_out_begins_anew():
    put()
    table.begin("t1", 0)
    worker_dies()

    assert [message.task_id for message in outbox.claim_due()] == ["t1"]
    assert table.begin("t1", 0)
    assert row().starts == 2


def test_a_task_whose_lease_is_renewed_does_not_begin_elsewhere():
    put()
    table.begin("t1", 0)
    worker_dies()

    table.renew_leases(["t1"])
    assert not table.begin("t1", 0)
    assert outbox.claim_due() == []


def test_only_running_tasks_get_their_lease_renewed():
    put("done")
    put("waits")
    for name in ("done", "waits"):
        table.begin(name, 0)
    table.finish("done")
    table.reschedule("waits", 1, timedelta(seconds=60))

    table.renew_leases(["done", "waits"])
    assert row("waits").leased_until is None


def test_after_the_broker_lost_its_messages_all_that_has_not_started_is_due():
    for name in ("published", "running", "failed"):
        put(name, times_published=2, due_at=timezone.now() + timedelta(minutes=40))
    put("later", due_at=timezone.now() + timedelta(minutes=40))
    table.begin("running", 0)
    table.fail("failed", "Traceback")

    assert outbox.publish_again() == 1
    assert [message.task_id for message in outbox.claim_due()] == ["published"]


def test_a_task_that_kills_its_worker_is_failed_after_three_starts():
    put()
    starts = []
    for _ in range(5):
        starts.append(table.begin("t1", 0))
        worker_dies()

    assert starts == [True, True, True, False, False]
    assert row().failed_at is not None
    assert "died" in row().error
    make_due()
    assert outbox.claim_due() == []


def test_a_clean_failure_starts_the_count_of_dead_workers_anew():
    put()
    for _ in range(3):
        table.begin("t1", 0)
        worker_dies()
    table.reschedule("t1", 1, NOW)

    assert table.begin("t1", 1)


def test_an_old_message_does_not_run_a_task_that_waits_for_its_next_try():
    put()
    table.begin("t1", 0)
    table.reschedule("t1", 1, timedelta(seconds=60))

    assert not table.begin("t1", 0)
    assert row().starts == 0


def test_a_failure_of_a_run_that_was_given_up_does_not_count_twice():
    put()

    assert table.reschedule("t1", 1, NOW)
    assert not table.reschedule("t1", 1, NOW)


def test_a_task_that_no_worker_knows_goes_to_others_for_half_an_hour_and_then_fails():
    put("new", times_published=1, due_at=timezone.now() + timedelta(minutes=10))
    put("removed", times_published=table.MAX_UNKNOWN)

    table.postpone_unknown("new")
    table.postpone_unknown("removed")
    assert row("new").failed_at is None
    assert 25 < (row("new").due_at - timezone.now()).total_seconds() < 35
    assert "No worker knows" in row("removed").error


def test_a_failed_task_can_be_tried_again_or_dropped():
    put("t1")
    put("t2")
    put("waiting")
    table.fail("t1", "Traceback")
    table.fail("t2", "Traceback")

    assert table.retry(["t1", "waiting"]) == 1
    assert table.drop(["t1", "t2", "waiting"]) == 1
    assert sorted(QueuedTask.objects.values_list("task_id", flat=True)) == ["t1", "waiting"]
    assert row("t1").failed_at is None


def test_looking_at_an_empty_queue_takes_one_query(django_assert_num_queries):
    with django_assert_num_queries(1):
        outbox.claim_due()


def test_after_a_wipe_all_is_due_that_no_living_worker_runs():
    far = timezone.now() + timedelta(minutes=20)
    put("its worker died", times_published=1, due_at=far, leased_until=timezone.now() - timedelta(seconds=1))
    put("running", times_published=1, due_at=far, leased_until=timezone.now() + timedelta(seconds=20))

    assert outbox.publish_again() == 1
    assert [message.task_id for message in outbox.claim_due()] == ["its worker died"]


def test_a_dead_worker_does_not_put_off_the_next_publishing():
    put()
    outbox.mark_published(outbox.claim_due())
    table.begin("t1", 0)
    worker_dies()
    outbox.mark_published(outbox.claim_due())

    assert row().times_published == 1
    assert round((row().due_at - timezone.now()).total_seconds() / 60) == 10


def test_what_an_empty_broker_lost_is_due_again_within_a_minute():
    far, long_ago = timezone.now() + timedelta(minutes=20), timezone.now() - outbox.LOST_AFTER
    put("lost", times_published=2, due_at=far, published_at=long_ago)
    put("lost in bulk", times_published=2, due_at=far, published_at=long_ago, priority=table.BULK)
    put("just published", times_published=1, due_at=far, published_at=timezone.now())
    put("running", due_at=far, published_at=long_ago, leased_until=timezone.now() + timedelta(seconds=20))
    put("scheduled", due_at=far)

    assert outbox.publish_lost(table.NORMAL, None) == 1
    assert [message.task_id for message in outbox.claim_due()] == ["lost"]
    assert outbox.LOST_AFTER + timedelta(seconds=relay.CHECK_LOST) < timedelta(minutes=1)


def test_a_message_that_was_lost_from_a_busy_broker_is_noticed_when_its_turn_is_over():
    turn, far = timezone.now() - timedelta(minutes=5), timezone.now() + timedelta(minutes=10)
    put("lost", times_published=1, due_at=far, published_at=turn)
    put("next", times_published=1, due_at=far, published_at=turn + outbox.CLAIM)

    assert outbox.publish_lost(table.NORMAL, turn + outbox.CLAIM - timedelta(seconds=1)) == 0
    assert outbox.publish_lost(table.BULK, turn + outbox.CLAIM) == 0
    assert outbox.publish_lost(table.NORMAL, turn + outbox.CLAIM) == 1
    assert [message.task_id for message in outbox.claim_due()] == ["lost"]


def test_an_interrupted_task_is_due_at_once_and_its_start_does_not_count():
    put()
    for _ in range(2 * table.MAX_STARTS):
        assert table.begin("t1", 0)
        table.interrupt("t1")
        assert [message.task_id for message in outbox.claim_due()] == ["t1"]
        make_due()

    assert (row().starts, row().leased_until, row().failed_at) == (0, None, None)


def test_an_expired_task_is_dropped_instead_of_begun():
    table.enqueue("t1", "queue.heartbeat", [], {}, {}, expires=-timedelta(seconds=1))
    table.enqueue("t2", "queue.heartbeat", [], {}, {}, expires=timedelta(seconds=60))

    assert not table.begin("t1", 0)
    assert table.begin("t2", 0)
    assert [found.task_id for found in QueuedTask.objects.all()] == ["t2"]


def test_bulk_is_claimed_when_nothing_else_is_due():
    for number in range(outbox.BATCH + 5):
        put(f"bulk-{number}", priority=table.BULK, due_at=timezone.now() - timedelta(hours=1))
    outbox.claim_due()
    put("mail")

    assert [message.task_id for message in outbox.claim_due()] == ["mail"]
    assert {message.priority for message in outbox.claim_due()} == {table.BULK}


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_a_copy_of_a_task_does_not_wait_for_the_one_that_is_writing_its_effect():
    put("t1")
    table.begin("t1", 0)
    worker_dies()
    answers = []

    def copy() -> None:
        answers.append(table.begin("t1", 0))
        with transaction.atomic():
            answers.append(table.finish("t1"))
        table.renew_leases(["t1"])
        answers.append(outbox.publish_again())
        connection.close()

    with transaction.atomic():
        assert table.finish("t1")
        thread = threading.Thread(target=copy)
        thread.start()
        thread.join(20)
        assert not thread.is_alive()
        assert answers == [False, False, 0]
    thread.join()


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_a_task_begins_although_the_relay_is_just_noting_that_it_was_published():
    put("t1")
    claimed, noted = outbox.claim_due(), threading.Event()

    def note() -> None:
        with transaction.atomic():
            outbox.mark_published(claimed)
            noted.set()
            time.sleep(table.LOCK_PAUSE)
        connection.close()

    thread = threading.Thread(target=note)
    thread.start()
    noted.wait()

    assert table.begin("t1", 0)
    thread.join()
    assert (row().starts, row().times_published) == (1, 0)
