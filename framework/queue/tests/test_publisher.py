"""Publishing right after the commit, and what the relay finds when the process dies at each point of it."""

import json
import os
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from celery import current_app as app
from celery import shared_task
from celery.app.trace import trace_task
from django.db import OperationalError as DatabaseDown
from django.db import connections, transaction
from kombu.exceptions import OperationalError

from framework.queue import outbox, publisher, relay, table
from framework.queue.liveness import record_heartbeat
from framework.queue.models import Heartbeat, QueuedTask
from framework.queue.task import once

pytestmark = pytest.mark.django_db


@shared_task(name="test.published")
def published(text: str) -> None:
    with once():
        Heartbeat.objects.create(name=text, at="2000-01-01T00:00:00Z")


@pytest.fixture
def process(monkeypatch):
    """The publisher of a process that lives for long; `burst` does what its thread would."""
    process = publisher._Publisher()
    process.enabled = True
    monkeypatch.setattr(publisher, "_publisher", process)
    monkeypatch.setattr(process, "_start_thread", lambda: None)
    monkeypatch.setattr(publisher, "GATHER", 0)
    monkeypatch.setattr(publisher.connection, "close", lambda: None)  # the test's transaction is in it
    return process


@pytest.fixture
def broker(monkeypatch):
    """The messages that the broker was given."""
    messages: list[dict] = []

    def send_task(name, args, kwargs, **options):
        messages.append({"name": name, "args": args, "kwargs": kwargs, **options})

    monkeypatch.setattr(app, "send_task", send_task)
    return messages


@pytest.fixture
def committed(process, django_capture_on_commit_callbacks):
    """Enqueues a task and commits."""

    def commit(*args, **options) -> None:
        with django_capture_on_commit_callbacks(execute=True):
            published.apply_async(args, **options)

    return commit


def burst(process) -> None:
    while process._waiting.qsize():
        process.publish_burst(process._burst())


def head_start_is_over() -> None:
    for row in QueuedTask.objects.all():
        earlier = {name: getattr(row, name) - outbox.HEAD_START for name in ("queued_at", "due_at")}
        QueuedTask.objects.filter(pk=row.pk).update(**earlier)


def run(message) -> None:
    request = {name: message[name] for name in ("headers", "retries")} | {"id": message["task_id"]}
    request |= {"delivery_info": {}, "called_directly": False}
    trace_task(app.tasks[message["name"]], message["task_id"], message["args"], message["kwargs"], request, app=app)


def test_a_committed_task_is_published_and_noted_and_the_relay_leaves_it_alone(process, broker, committed):
    committed("a")
    burst(process)

    row = QueuedTask.objects.get()
    assert [(message["name"], message["args"], message["task_id"]) for message in broker] == [
        ("test.published", ["a"], row.task_id)
    ]
    assert broker[0]["headers"]["published"] == row.queued_at.isoformat()
    assert (row.times_published, row.starts) == (1, 0)
    assert row.due_at - row.published_at == outbox.REPUBLISH_AFTER
    head_start_is_over()
    assert outbox.claim_due() == []


def test_before_the_commit_and_after_a_rollback_nothing_is_published(process, broker):
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        published.delay("a")
        raise ZeroDivisionError

    assert (process._waiting.qsize(), broker, QueuedTask.objects.count()) == (0, [], 0)


def test_a_process_that_dies_between_commit_and_publishing_leaves_the_task_to_the_relay(process, broker, committed):
    committed("a")
    process.reset()

    assert relay.publish_due(app) == 0
    head_start_is_over()
    assert relay.publish_due(app) == 1
    assert [message["args"] for message in broker] == [["a"]]


def test_a_process_that_dies_between_publishing_and_noting_makes_a_copy_that_has_no_effect(
    process, broker, committed, monkeypatch
):
    committed("a")
    monkeypatch.setattr(outbox, "mark_first_published", lambda _: None)
    burst(process)
    head_start_is_over()
    relay.publish_due(app)
    for message in broker:
        run(message)

    assert [message["args"] for message in broker] == [["a"], ["a"]]
    assert Heartbeat.objects.get().name == "a"
    assert not QueuedTask.objects.exists()


def test_noting_changes_no_row_that_somebody_has_touched_meanwhile(process, broker, committed):
    for name in ("begun", "tried again", "unknown", "claimed"):
        committed(name, task_id=name)
    table.begin("begun", 0)
    table.reschedule("tried again", 1, timedelta(seconds=60))
    table.postpone_unknown("unknown")
    before = {row["task_id"]: row for row in QueuedTask.objects.exclude(task_id="claimed").values()}
    head_start_is_over()
    burst(process)

    after = {row["task_id"]: row for row in QueuedTask.objects.exclude(task_id="claimed").values()}
    assert {name: row["times_published"] for name, row in after.items()} == dict.fromkeys(before, 0)
    assert QueuedTask.objects.get(task_id="claimed").times_published == 1


def test_a_broker_that_is_away_is_left_alone_for_a_while_and_the_relay_gets_all_tasks_at_once(
    process, committed, monkeypatch
):
    def refuse(*_, **__):
        tried.append(1)
        raise OperationalError

    tried: list[int] = []
    monkeypatch.setattr(app, "send_task", refuse)
    committed("first", task_id="first")
    committed("second", task_id="second")
    burst(process)
    committed("third", task_id="third")

    assert (len(tried), process._waiting.qsize()) == (1, 0)
    assert [message.task_id for message in outbox.claim_due()] == ["third"]
    head_start_is_over()
    assert {message.task_id for message in outbox.claim_due()} == {"first", "second"}


def test_a_task_that_cannot_be_published_holds_up_no_other(process, broker, committed, monkeypatch):
    send = app.send_task

    def refuse_bad(name, args, kwargs, **options):
        if args == ["bad"]:
            raise ValueError("too long")
        send(name, args, kwargs, **options)

    monkeypatch.setattr(app, "send_task", refuse_bad)
    for text in ("bad", "good"):
        committed(text)
    burst(process)

    assert [message["args"] for message in broker] == [["good"]]
    head_start_is_over()
    relay.publish_due(app)
    assert "too long" in QueuedTask.objects.get(args=["bad"]).error


def test_what_cannot_be_noted_is_published_again_by_the_relay(process, broker, committed, monkeypatch):
    def die(_):
        raise DatabaseDown

    monkeypatch.setattr(outbox, "mark_first_published", die)
    committed("a")
    burst(process)
    head_start_is_over()

    assert relay.publish_due(app) == 1


@pytest.mark.parametrize("options", [{"countdown": 60}, {"priority": table.BULK}])
def test_what_is_due_later_or_may_wait_is_left_to_the_relay(process, committed, options):
    committed("a", **options)

    assert process._waiting.qsize() == 0


def test_more_than_there_is_room_for_is_left_to_the_relay(process, committed, monkeypatch):
    monkeypatch.setattr(publisher, "ROOM", 1)
    process.reset()
    committed("a")
    committed("b")

    assert process._waiting.qsize() == 1
    assert [message.args for message in outbox.claim_due()] == [["b"]]


def test_a_process_that_does_not_live_for_long_leaves_all_to_the_relay(process, broker, committed):
    process.enabled = False
    committed("a")

    assert relay.publish_due(app) == 1


def test_what_is_published_is_what_was_enqueued(process, broker, django_capture_on_commit_callbacks):
    argument = {"list": (1, 2)}
    with django_capture_on_commit_callbacks(execute=True):
        published.delay(argument)
        argument["list"] = "changed before the commit"
    burst(process)

    assert broker[0]["args"] == QueuedTask.objects.get().args == [{"list": [1, 2]}]


@pytest.mark.django_db(transaction=True)
def test_the_thread_publishes_also_in_a_forked_process(monkeypatch, tmp_path):
    process = publisher._Publisher()
    process.enabled = True
    monkeypatch.setattr(publisher, "_publisher", process)
    monkeypatch.setattr(publisher, "GATHER", 0)
    seen = threading.Event()

    def send_task(name, args, kwargs, **options):
        (tmp_path / args[0]).write_text(json.dumps(options["task_id"]))
        seen.set()

    monkeypatch.setattr(app, "send_task", send_task)
    with transaction.atomic():
        published.delay("parent")
        assert not seen.wait(0.1)
    assert seen.wait(20)
    connections.close_all()
    child = os.fork()
    if not child:
        seen.clear()
        process.reset()  # as os.register_at_fork has it for the real one
        process.put(outbox.Message("t1", "test.published", ["child"], {}, {}, 0, 0, datetime.now(UTC)))
        os._exit(0 if seen.wait(20) else 1)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"parent", "child"}
    end = time.monotonic() + 20
    while not QueuedTask.objects.get().times_published and time.monotonic() < end:
        time.sleep(0.02)
    assert QueuedTask.objects.get().times_published == 1
    record_heartbeat("after")  # the connection that the thread closed was its own
