import json
from datetime import timedelta

import pytest
from amqp.exceptions import MessageNacked
from celery import current_app as app
from celery import shared_task
from celery.app.trace import trace_task
from celery.exceptions import TimeLimitExceeded
from django.db import OperationalError as DatabaseDown
from django.db import transaction
from django.utils import timezone
from kombu.asynchronous.timer import Timer
from kombu.exceptions import OperationalError

from framework import context
from framework.errors import NotFound
from framework.queue import broker as its_broker
from framework.queue import consumer, liveness, outbox, relay, table, task
from framework.queue.models import Heartbeat, QueuedTask
from framework.queue.task import once

pytestmark = pytest.mark.django_db

seen: list[str] = []


@shared_task(name="test.note")
def note(text: str) -> None:
    with once():
        liveness.record_heartbeat(text)
    seen.append(context.request_id())


@shared_task(name="test.fail", bind=True)
def fail(self, kind: str) -> None:
    raise {"bug": ZeroDivisionError, "refusal": NotFound}[kind]("no")


@shared_task(name="test.fail_after_once")
def fail_after_once(text: str) -> None:
    with once():
        liveness.record_heartbeat(text)
    raise ZeroDivisionError


@shared_task(name="test.once_twice", autoretry_for=())
def once_twice() -> None:
    with once():
        liveness.record_heartbeat("first")
    with once():
        liveness.record_heartbeat("second")


@shared_task(name="test.too_long")
def too_long() -> None:
    with context.within(-1):
        Heartbeat.objects.count()


@shared_task(name="test.retry_with", bind=True)
def retry_with(self, text: str) -> None:
    raise self.retry(args=[], kwargs={"text": "new"})


@shared_task(name="test.patient", time_limit=600)
def patient() -> None:
    pass


@shared_task(name="test.deadline")
def deadline() -> None:
    seen.append(context.seconds_left())


@pytest.fixture(autouse=True)
def _nothing_seen():
    seen.clear()


class Outside:
    """A connection outside of the transaction that a test runs in."""

    in_atomic_block = False

    def close_if_unusable_or_obsolete(self):
        pass


class Undecodable:
    """A message of test.note whose body is not that of a task."""

    headers = {"task": "test.note", "id": "t1"}
    rejected = False

    def __init__(self, body) -> None:
        self.body = body

    @property
    def payload(self):
        if isinstance(self.body, Exception):
            raise self.body
        return self.body

    def reject(self) -> None:
        self.rejected = True


class Broker:
    """Takes what the relay publishes, and hands it to the task as a worker would."""

    def __init__(self, monkeypatch) -> None:
        self.messages: list[dict] = []
        self.down = False
        monkeypatch.setattr(app, "send_task", self.send_task)

    def send_task(self, name, args, kwargs, **options):
        if self.down:
            raise OperationalError
        json.dumps([args, kwargs])
        self.messages.append({"name": name, "args": args, "kwargs": kwargs, **options})

    def deliver(self, message):
        """Run it as a worker does, failures included."""
        request = (
            {"id": message["task_id"]}
            | {name: message[name] for name in ("headers", "retries")}
            | {"delivery_info": {}, "called_directly": False}
        )
        return trace_task(
            app.tasks[message["name"]], message["task_id"], message["args"], message["kwargs"], request, app=app
        )


@pytest.fixture
def broker(monkeypatch):
    return Broker(monkeypatch)


def test_the_request_id_travels_with_a_task(broker):
    context.begin("test", request_id="request-1")
    note.delay("a")
    relay.publish_due(app)
    context.begin("test", request_id="another")
    broker.deliver(broker.messages[0])

    assert seen == ["request-1"]


def test_a_done_task_leaves_the_queue(broker):
    note.delay("a")
    relay.publish_due(app)
    broker.deliver(broker.messages[0])

    assert Heartbeat.objects.filter(name="a").exists()
    assert not QueuedTask.objects.exists()


def test_a_second_delivery_has_no_second_effect(broker):
    note.delay("a")
    relay.publish_due(app)
    broker.deliver(broker.messages[0])
    Heartbeat.objects.all().delete()
    broker.deliver(broker.messages[0])

    assert not Heartbeat.objects.exists()


def test_two_deliveries_at_once_have_one_effect(broker, monkeypatch):
    note.delay("a")
    relay.publish_due(app)
    monkeypatch.setattr(table, "begin", lambda *_: 1)  # both have begun before either is done
    broker.deliver(broker.messages[0])
    Heartbeat.objects.all().delete()
    broker.deliver(broker.messages[0])

    assert not Heartbeat.objects.exists()


def test_what_fails_after_its_effect_has_no_second_effect(broker):
    fail_after_once.delay("a")
    relay.publish_due(app)
    broker.deliver(broker.messages[0])
    broker.deliver(broker.messages[0])

    assert Heartbeat.objects.get().name == "a"
    assert not QueuedTask.objects.exists()


def test_a_second_once_in_a_task_is_refused(broker, caplog):
    once_twice.delay()
    relay.publish_due(app)
    broker.deliver(broker.messages[0])

    assert Heartbeat.objects.get().name == "first"


def test_an_old_message_of_a_task_that_waits_for_its_next_try_does_nothing(broker):
    fail.delay("bug")
    relay.publish_due(app)
    broker.deliver(broker.messages[0])
    broker.deliver(broker.messages[0])

    assert QueuedTask.objects.get().retries == 1


def test_a_worker_waits_for_the_database(broker, monkeypatch):
    begin, outages = table.begin, iter([DatabaseDown("the connection was closed")])

    def fail_once(*args):
        for outage in outages:
            raise outage
        return begin(*args)

    monkeypatch.setattr(table, "begin", fail_once)
    monkeypatch.setattr(task, "connection", Outside())
    monkeypatch.setattr(task.time, "sleep", lambda _: None)
    note.delay("a")
    relay.publish_due(app)
    broker.deliver(broker.messages[0])

    assert Heartbeat.objects.filter(name="a").exists()


def test_a_failure_that_cannot_be_written_down_leaves_the_task_to_be_tried_again(broker, monkeypatch):
    def die(*_):
        raise DatabaseDown("the connection was closed")

    fail.delay("refusal")
    relay.publish_due(app)
    with monkeypatch.context() as patch:
        patch.setattr(table, "fail", die)
        broker.deliver(broker.messages[0])

    assert QueuedTask.objects.get().failed_at is None


def test_what_the_queue_cannot_keep_is_refused():
    with pytest.raises(TypeError, match="does not take link"):
        note.apply_async(("a",), link=note.si("b"))

    assert not QueuedTask.objects.exists()


def test_a_broker_that_is_down_loses_nothing(broker):
    note.delay("a")
    broker.down = True
    with pytest.raises(OperationalError):
        relay.publish_due(app)
    broker.down = False

    assert relay.publish_due(app) == 1


def test_a_relay_whose_round_takes_too_long_begins_anew(broker, monkeypatch):
    class Stop:
        rounds = 0

        def is_set(self):
            return Stop.rounds == 2

        def wait(self, _):
            Stop.rounds += 1
            monkeypatch.setattr(relay, "PASS", 30)

    note.delay("a")
    monkeypatch.setattr(relay, "PASS", -1)
    monkeypatch.setattr(relay, "close_old_connections", lambda: None)
    relay.run(app, Stop())

    assert [message["name"] for message in broker.messages] == ["test.note"]


def test_a_broker_that_was_wiped_or_replaced_is_told_from_the_one_before(monkeypatch):
    monkeypatch.setattr(its_broker, "MARK", "test:relay")
    seen = its_broker.connect()
    client = seen._client
    client.delete("test:relay")

    assert not seen.is_marked()
    seen.mark()
    assert seen.is_marked()
    client.delete("test:relay")
    assert not seen.is_marked()
    client.set("test:relay", "the server before")
    assert not seen.is_marked()
    client.delete("test:relay")


def test_a_message_that_a_busy_broker_lost_is_published_again():
    asked, queue = its_broker.connect(), app.conf.task_default_queue
    asked._client.delete(queue)
    for name, minutes in (("lost", 3), ("taken", 3), ("waits", 2), ("waits too", 1)):
        note.apply_async(("a",), task_id=name)
        relay.publish_due(app)
        then = timezone.now() - timedelta(minutes=minutes)
        message = json.loads(asked._client.lindex(queue, 0))
        message["headers"][its_broker.PUBLISHED] = then.isoformat()
        asked._client.lset(queue, 0, json.dumps(message))
        QueuedTask.objects.filter(task_id=name).update(published_at=then)
    asked._client.rpop(queue, 2)
    table.begin("taken", 0)
    relay.check_lost(asked, queue)

    assert [message.task_id for message in outbox.claim_due()] == ["lost"]
    asked._client.delete(queue)


def test_which_message_is_next_is_told_whatever_waits():
    asked = its_broker.connect()
    asked._client.delete("test-next")
    assert asked.next_published("test-next") is None
    asked._client.rpush("test-next", "no JSON")
    assert asked.next_published("test-next").year == 1970
    asked._client.delete("test-next")


def test_a_worker_outlives_whatever_its_broken_connection_raises(monkeypatch):
    def fail(*_):
        raise AttributeError("'NoneType' object has no attribute 'hostname'")

    monkeypatch.setattr(consumer.consumer.Consumer, "on_connection_error_after_connected", fail)
    bare = {"connection_errors": (OSError,), "timer": Timer()}
    monkeypatch.setattr(consumer.consumer.Consumer, "__init__", lambda self: vars(self).update(bare))
    mine = consumer.Consumer()
    mine.on_connection_error_after_connected(OSError())

    assert set(mine.connection_errors) >= {OSError, AttributeError}
    assert app.conf.worker_consumer == "framework.queue.consumer:Consumer"


def test_a_message_that_cannot_be_published_is_failed_and_holds_up_no_other(broker, monkeypatch):
    note.delay("bad")
    note.delay("good")
    send = broker.send_task

    def refuse_bad(name, args, kwargs, **options):
        if args == ["bad"]:
            raise ValueError("too long")
        send(name, args, kwargs, **options)

    monkeypatch.setattr(app, "send_task", refuse_bad)
    relay.publish_due(app)

    assert [message["args"] for message in broker.messages] == [["good"]]
    assert "too long" in QueuedTask.objects.get(failed_at__isnull=False).error


def test_a_failed_task_is_tried_again_later(broker):
    fail.delay("bug")
    relay.publish_due(app)
    broker.deliver(broker.messages[0])

    row = QueuedTask.objects.get()
    assert (row.retries, row.starts, row.failed_at) == (1, 0, None)


def test_a_tasks_queries_end_before_its_time(broker):
    deadline.delay()
    relay.publish_due(app)
    broker.deliver(broker.messages[0])

    (left,) = seen
    assert 0 < left < app.conf.task_soft_time_limit


def test_a_task_that_took_too_long_is_tried_again_later(broker, monkeypatch):
    monkeypatch.setattr(task, "QUERIES", -1)
    too_long.delay()
    relay.publish_due(app)
    broker.deliver(broker.messages[0])

    row = QueuedTask.objects.get()
    assert (row.retries, row.starts, row.failed_at) == (1, 0, None)


def test_the_last_failure_parks_the_task_with_its_traceback(broker):
    fail.delay("bug")
    QueuedTask.objects.update(retries=5)
    relay.publish_due(app)
    broker.deliver(broker.messages[0])

    row = QueuedTask.objects.get()
    assert row.failed_at is not None
    assert "ZeroDivisionError" in row.error


def test_a_refusal_is_not_tried_again(broker):
    fail.delay("refusal")
    relay.publish_due(app)
    broker.deliver(broker.messages[0])

    assert "NotFound" in QueuedTask.objects.get(failed_at__isnull=False).error


def test_wrong_arguments_are_refused_where_they_are_written():
    with pytest.raises(TypeError):
        note.delay()

    assert not QueuedTask.objects.exists()


def test_arguments_that_are_not_plain_are_refused_where_they_are_written():
    with pytest.raises(TypeError), transaction.atomic():
        note.delay(object())

    assert not QueuedTask.objects.exists()


@pytest.mark.parametrize("option", ["queue", "exchange", "routing_key", "serializer", "compression", "time_limit"])
def test_an_option_that_the_queue_does_not_take_is_refused_by_name(option):
    with pytest.raises(TypeError, match=f"test.note: the queue does not take {option}"):
        note.apply_async(("a",), **{option: "x"})

    assert not QueuedTask.objects.exists()


def test_expiry_and_priority_are_honoured(broker):
    note.apply_async(("late",), expires=-1)
    note.apply_async(("bulk",), priority=table.BULK)
    with pytest.raises(TypeError, match="priority must be"):
        note.apply_async(("a",), priority=7)
    relay.publish_due(app)
    relay.publish_due(app)
    for message in broker.messages:
        broker.deliver(message)

    queue = app.conf.task_default_queue
    assert [(message["args"], message["queue"]) for message in broker.messages] == [
        (["late"], queue),
        (["bulk"], f"{queue}-bulk"),
    ]
    assert list(Heartbeat.objects.values_list("name", flat=True)) == ["bulk"]
    assert not QueuedTask.objects.exists()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "a\0b", "\ud800", {"a": "\0"}])
def test_what_postgresql_could_not_store_is_refused_before_the_transaction_breaks(value):
    with transaction.atomic():
        with pytest.raises(TypeError, match=r"test\.note: its arguments"):
            note.delay(value)
        note.delay("a backslash and u0000: \\u0000")

    assert QueuedTask.objects.get().args == ["a backslash and u0000: \\u0000"]


def test_a_retry_takes_new_arguments(broker):
    retry_with.delay("old")
    relay.publish_due(app)
    broker.deliver(broker.messages[0])

    row = QueuedTask.objects.get()
    assert (row.args, row.kwargs, row.retries) == ([], {"text": "new"}, 1)


def test_a_retry_refuses_options_by_name(broker):
    with pytest.raises(TypeError, match="does not take queue"):
        retry_with.retry(queue="fast")


@pytest.mark.parametrize("error", [MessageNacked(), AttributeError("'NoneType' object has no attribute 'send'")])
def test_a_message_that_the_broker_did_not_take_stays_due(monkeypatch, error):
    def refuse(*_, **__):
        raise error

    note.delay("a")
    monkeypatch.setattr(app, "send_task", refuse)
    with pytest.raises(relay.NOT_TAKEN):
        relay.publish_due(app)

    assert [message.args for message in outbox.claim_due()] == [["a"]]


def test_an_unforeseen_error_in_publishing_puts_off_that_task_alone(broker, monkeypatch):
    send = broker.send_task

    def refuse_bad(name, args, kwargs, **options):
        if args == ["bad"]:
            raise RuntimeError
        send(name, args, kwargs, **options)

    note.delay("bad")
    note.delay("good")
    monkeypatch.setattr(app, "send_task", refuse_bad)
    relay.publish_due(app)

    assert [message["args"] for message in broker.messages] == [["good"]]
    bad = QueuedTask.objects.get(args=["bad"])
    assert bad.failed_at is None
    assert 20 < (bad.due_at - timezone.now()).total_seconds() < 40


def test_a_copy_of_a_message_does_not_count_as_a_success(broker):
    """Or Celery would not cancel the running task of that id when the worker is shut down."""
    note.delay("a")
    relay.publish_due(app)
    (message,) = broker.messages

    assert broker.deliver(message).info is None
    assert broker.deliver(message).info.state == "IGNORED"


def test_a_tasks_own_time_limit_sets_its_soft_limit():
    assert (patient.time_limit, round(patient.soft_time_limit)) == (600, 582)
    assert note.soft_time_limit == app.conf.task_soft_time_limit < note.time_limit


def test_a_task_that_was_killed_at_its_time_limit_begins_again():
    note.delay("a")
    task_id = QueuedTask.objects.get().task_id
    note.on_failure(TimeLimitExceeded(300), task_id, ["a"], {}, None)

    assert QueuedTask.objects.get().failed_at is None


@pytest.mark.parametrize("payload", [{}, [], [1, 2, 3], [[], {}, None], ValueError("not base64")])
def test_an_undecodable_message_is_put_aside_and_the_worker_goes_on(payload, lines):
    message = Undecodable(payload)
    handled = []
    mine = consumer.Consumer.__new__(consumer.Consumer)
    mine.broker_errors, mine.on_task_message = (OSError,), set()
    mine.strategies = {"test.note": lambda *_: handled.append(1)}
    consumer.Consumer.create_task_handler(mine)(message)

    assert (message.rejected, handled) == (True, [])
    assert [line["task_id"] for line in lines("undecodable message put aside")] == ["t1"]
