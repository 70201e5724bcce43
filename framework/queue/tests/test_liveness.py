"""A process that waits for a store is alive; only one whose loop hangs is not."""

import threading

import pytest
from celery import current_app as app
from django.db import OperationalError
from kombu import Connection

from framework.queue import liveness, outbox, relay
from framework.queue.consumer import Consumer
from framework.queue.scheduler import Scheduler

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def file(tmp_path, settings):
    settings.ALIVE_FILE = tmp_path / "alive"
    return settings.ALIVE_FILE


def test_no_file_is_touched_unless_ALIVE_FILE_is_set(settings):
    assert settings.ALIVE_FILE is None
    liveness.touch_liveness()


@pytest.mark.parametrize("error", [None, OperationalError(), ConnectionError()])
def test_a_relay_touches_its_file_whether_or_not_the_stores_answer(file, monkeypatch, error):
    stop = threading.Event()

    def claim():
        stop.set()
        if error:
            raise error
        return []

    monkeypatch.setattr(outbox, "claim_due", claim)
    monkeypatch.setattr(relay, "DOWN", 0)
    relay.run(app, stop)

    assert file.exists()


def test_a_beat_touches_its_file_while_the_database_is_away(file, monkeypatch):
    def fail(*_, **__):
        raise OperationalError

    scheduler = Scheduler(app=app, lazy=True)
    monkeypatch.setattr("framework.queue.scheduler.record_heartbeat", fail)

    assert scheduler.tick() == 1.0
    assert file.exists()


def test_a_worker_touches_its_file_while_it_waits_for_the_broker(file, monkeypatch):
    class Waited(Exception):
        pass

    def stop_waiting():
        raise Waited

    monkeypatch.setattr("celery.worker.consumer.consumer.maybe_shutdown", stop_waiting)
    consumer = Consumer.__new__(Consumer)
    consumer.app, consumer.first_connection_attempt, consumer.broker_connection_retry_attempt = app, True, 0
    with pytest.raises(Waited):
        consumer.ensure_connected(Connection("redis://127.0.0.1:1/0"))

    assert file.exists()
