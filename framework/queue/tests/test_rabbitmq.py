"""The queue on RabbitMQ: a node of its own, and what it is to survive."""

import os
import signal
import tempfile
import threading
from pathlib import Path

import pytest
from celery import Celery
from django.db import connection, transaction
from django.utils import timezone

from framework.queue import broker, outbox, relay
from framework.queue.celery_settings import _RABBITMQ as RABBITMQ
from framework.queue.models import QueuedTask
from framework.queue.tests import impatient_worker
from framework.queue.tests.test_faults import (
    effects,
    in_a_thread,
    nothing_is_queued,
    started_worker,
    test_a_task_whose_worker_was_killed_is_done_once,  # noqa: F401 - the same, on this broker
    wait_for,
)
from framework.testing.rabbitmq import RabbitMQ, rabbitmq_server

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(rabbitmq_server() is None, reason="needs RabbitMQ: apt install rabbitmq-server"),
]


@pytest.fixture(scope="module")
def node():
    with tempfile.TemporaryDirectory(prefix="rabbitmq-", ignore_cleanup_errors=True) as folder:
        started = RabbitMQ(Path(folder) / "node")
        yield started
        started.stop()


@pytest.fixture(scope="module")
def worker(node, django_db_setup, django_db_blocker):
    with django_db_blocker.unblock():
        database = str(connection.settings_dict["NAME"])
    with started_worker(database, "tasks", BROKER_URL=node.url) as process:
        yield process


@pytest.fixture
def running(node, worker, settings):
    """The worker, and a relay that publishes to it."""
    settings.CELERY_BROKER_URL = node.url
    broker.connect().mark()
    publisher = Celery("test", broker=node.url, set_as_current=False)
    publisher.conf.update(
        task_default_queue="tasks", task_publish_retry=False, broker_transport_options=RABBITMQ | {"max_retries": 1}
    )
    stop = threading.Event()
    thread = threading.Thread(target=in_a_thread, args=(relay.run, publisher, stop))
    thread.start()
    yield
    stop.set()
    thread.join()


@pytest.fixture
def frozen(worker):
    """Call it to have the worker take nothing until it is called with False."""

    def freeze(yes=True):
        os.killpg(worker.pid, signal.SIGSTOP if yes else signal.SIGCONT)

    yield freeze
    freeze(False)


def test_a_task_of_a_transaction_runs_once_and_one_that_was_rolled_back_never(running):
    with transaction.atomic():
        impatient_worker.effect.delay("a")
    with transaction.atomic():
        impatient_worker.effect.delay("b")
        transaction.set_rollback(True)
    wait_for(nothing_is_queued)

    assert effects() == {"a"}


@pytest.mark.parametrize("wiped", [False, True], ids=["restarted", "replaced by an empty one"])
def test_a_broker_that_dies_loses_nothing(running, node, frozen, caplog, wiped):
    frozen()
    names = {f"task-{number}" for number in range(50)}
    for name in sorted(names):
        impatient_worker.effect.delay(name)
    wait_for(lambda: not QueuedTask.objects.filter(times_published=0).exists())
    node.crash()
    if wiped:
        node.wipe()
    node.restart()
    frozen(False)
    wait_for(nothing_is_queued)

    assert effects() == names
    assert ("the broker was restarted or wiped" in caplog.text) is wiped


def test_while_the_broker_is_away_tasks_wait_in_the_table(node, settings):
    settings.CELERY_BROKER_URL = "amqp://127.0.0.1:1"
    away = Celery("test", broker=settings.CELERY_BROKER_URL, set_as_current=False)
    away.conf.update(task_publish_retry=False, broker_transport_options=RABBITMQ | {"max_retries": 1})
    impatient_worker.effect.delay("a")
    with pytest.raises(broker.DOWN):
        relay.publish_due(away)
    with pytest.raises(broker.DOWN):
        broker.connect().is_marked()

    assert [message.args for message in outbox.claim_due()] == [["a"]]


def test_how_much_waits_is_told(node, settings):
    settings.CELERY_BROKER_URL = node.url
    publisher = Celery("test", broker=node.url, set_as_current=False)
    publisher.conf.update(task_default_queue="nobody-listens", broker_transport_options=RABBITMQ)
    asked = broker.connect()
    published = timezone.now()
    assert (asked.waiting("nobody-listens"), asked.next_published("nobody-listens")) == (0, None)
    publisher.send_task("a", headers={broker.PUBLISHED: published.isoformat()})
    publisher.send_task("b")

    wait_for(lambda: asked.waiting("nobody-listens") == 2)  # the last one may be on its way
    assert [asked.next_published("nobody-listens") for _ in range(2)] == [published] * 2
    asked.close()
