"""Gives the queue's due tasks to the broker."""

import threading
import time

import structlog
from celery import Celery
from django.conf import settings
from django.db import Error, close_old_connections
from kombu.exceptions import EncodeError

from framework import context
from framework.errors import DeadlineExceeded
from framework.queue import broker, outbox, state, table
from framework.queue.liveness import record_heartbeat, touch_liveness
from framework.queue.publisher import NOT_TAKEN, send

log = structlog.get_logger("relay")

IDLE = 0.1  # seconds between two looks at an empty queue
CHECK = 1.0  # seconds between two checks of whether the broker was wiped
CHECK_LOST = 10.0  # seconds between two checks of whether the broker has lost messages
REPORT = 30.0  # seconds between two log lines about the queue
DOWN = 1.0  # seconds until the next try while the broker or the database is down
PASS = 30.0  # seconds one round may take; a query that waits for longer is given up
UNSENDABLE = (EncodeError, TypeError, ValueError)


class _Every:
    """True once in so many seconds."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._next = 0.0  # on the clock of time.monotonic()

    def __call__(self) -> bool:
        now = time.monotonic()
        if now < self._next:
            return False
        self._next = now + self._seconds
        return True


class _Checks:
    """What the relay does now and then, between two batches."""

    def __init__(self, app: Celery) -> None:
        self._broker = broker.connect()
        self._default_queue = str(app.conf.task_default_queue)
        self._report_is_due, self._check_is_due = _Every(REPORT), _Every(CHECK)
        self._lost_check_is_due = _Every(CHECK_LOST)

    def run(self) -> None:
        record_heartbeat("relay", at_most_every=10)
        if self._report_is_due():
            report()
        if self._check_is_due():
            check_broker(self._broker)
        if self._lost_check_is_due():
            check_lost(self._broker, self._default_queue)


def run(app: Celery, stop: threading.Event) -> None:
    """Publish until told to stop, and wait for a broker or database that is down."""
    checks = _Checks(app)
    while not stop.is_set():
        touch_liveness()
        try:
            with context.within(PASS):
                checks.run()
                wait = 0.0 if publish_due(app) else IDLE
        except (*NOT_TAKEN, Error, DeadlineExceeded) as error:
            log.warning("waiting for the broker or the database", error=repr(error))
            close_old_connections()
            wait = DOWN
        stop.wait(wait)


def report() -> None:
    """Log the state of the queue: what scales the workers where metrics are made of logs."""
    found = state.queue_state()
    write = log.debug if settings.DEBUG else log.info
    write("queue", waiting=found.due + found.published + found.stalled, **found._asdict())


def check_broker(marked: broker.Broker) -> None:
    """Publish again what the broker may have lost, if it was wiped or another took its place."""
    if not marked.is_marked():
        if again := outbox.publish_again():  # none at a first start
            log.warning("the broker was restarted or wiped", published_again=again)
        marked.mark()
    record_heartbeat("broker", at_most_every=10)


def check_lost(asked: broker.Broker, default_queue: str) -> None:
    """Publish again what no worker began although its turn is over: its message was lost."""
    for priority in table.PRIORITIES:
        reached = asked.next_published(broker.queue_name(default_queue, priority))
        if lost := outbox.publish_lost(priority, reached):
            log.warning("messages were lost, or taken by workers that died", published_again=lost)


def publish_due(app: Celery) -> int:
    """Publish one batch; returns how many tasks were due.

    Raises one of NOT_TAKEN when the broker is down; nothing is lost then, the rows stay due.
    """
    batch = outbox.claim_due()
    published: list[outbox.Message] = []
    try:
        published += (message for message in batch if _publish(app, message))
    except NOT_TAKEN:
        outbox.release_claim([message for message in batch if message not in published])
        raise
    finally:
        if published:
            outbox.mark_published(published)
    return len(batch)


def _publish(app: Celery, message: outbox.Message) -> bool:
    """Whether the broker took the message. Raises one of NOT_TAKEN when it is the broker's fault."""
    try:
        send(app, message)
    except NOT_TAKEN:
        raise
    except UNSENDABLE as error:
        log.exception("a task cannot be published: it has failed", task=message.task, task_id=message.task_id)
        table.fail(message.task_id, f"It cannot be published: {error!r}")
        return False
    except Exception:
        log.exception("a task was not published: it is tried again", task=message.task, task_id=message.task_id)
        outbox.release_claim([message], table.PAUSE)
        return False
    return True
