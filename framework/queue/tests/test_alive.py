"""A loop that waits for a store turns; only one that hangs does not."""

import threading

import pytest
from celery import current_app as app
from django.db import OperationalError
from kombu import Connection

from framework.queue import alive, relay
from framework.queue import table as queue
from framework.queue.consumer import Consumer
from framework.queue.scheduler import Scheduler

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def file(tmp_path, settings):
    settings.ALIVE_FILE = tmp_path / "alive"
    return settings.ALIVE_FILE


def test_nothing_is_touched_where_nobody_looks(settings):
    assert settings.ALIVE_FILE is None
    alive.show()


@pytest.mark.parametrize("error", [None, OperationalError(), ConnectionError()])
def test_a_relay_shows_itself_whatever_the_stores_do(file, monkeypatch, error):
    stop = threading.Event()

    def claim():
        stop.set()
        if error:
            raise error
        return []

    monkeypatch.setattr(queue, "claim_due", claim)
    monkeypatch.setattr(relay, "DOWN", 0)
    relay.run(app, stop)

    assert file.exists()


def test_a_beat_shows_itself_while_the_database_is_away(file, monkeypatch):
    def fail(*_, **__):
        raise OperationalError

    scheduler = Scheduler(app=app, lazy=True)
    monkeypatch.setattr("framework.queue.heartbeat.note", fail)

    assert scheduler.tick() == 1.0
    assert file.exists()


def test_a_worker_shows_itself_while_it_waits_for_the_broker(file, monkeypatch):
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
