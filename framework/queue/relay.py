"""Gives the queue's due tasks to the broker."""

import threading
import time

import structlog
from celery import Celery
from django.db import Error, close_old_connections

from framework import context
from framework.errors import DeadlineExceeded
from framework.queue import alive, broker, heartbeat, state
from framework.queue import table as queue

log = structlog.get_logger("relay")

IDLE = 0.1  # seconds between two looks at an empty queue
LOOK = 1.0  # seconds between two looks at whether the broker is still the same
REPORT = 30.0  # seconds between two lines about the queue
DOWN = 1.0  # seconds until the next try while the broker or the database is down
PASS = 30.0  # seconds one round may take; a query that waits for longer is given up
CONFIRMED = 2.0  # seconds within which the broker must have taken a message


class _Report:
    """The line about the queue: what scales the workers where metrics are made of logs."""

    def __init__(self) -> None:
        self._next = 0.0  # on the clock of time.monotonic()

    def write(self) -> None:
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + REPORT
        found = state.queue_state()
        log.info("queue", waiting=found.due + found.carried + found.silent, **found._asdict())


def run(app: Celery, stop: threading.Event) -> None:
    """Publish until told to stop. A broker or database that is down is waited for."""
    marked, next_look = broker.connect(), 0.0
    report = _Report()
    while not stop.is_set():
        alive.show()
        try:
            with context.within(PASS):
                heartbeat.note("relay", at_most_every=10)
                report.write()
                if time.monotonic() >= next_look:
                    next_look = time.monotonic() + LOOK
                    look_at(marked)
                wait = 0.0 if publish_due(app) else IDLE
        except (*broker.DOWN, Error, DeadlineExceeded) as error:
            log.warning("waiting", error=type(error).__name__)
            close_old_connections()
            wait = DOWN
        stop.wait(wait)


def look_at(marked: broker.Broker) -> None:
    """Have all published again that the broker may have lost: it was wiped, or another took its place."""
    if not marked.is_marked():
        log.warning("the broker was restarted or wiped", published_again=queue.publish_again())
        marked.mark()
    heartbeat.note("broker", at_most_every=10)


def publish_due(app: Celery) -> int:
    """Publish one batch; returns how many tasks were due.

    Raises what the broker's client raises when it is down; nothing is lost then, the rows stay due.
    """
    batch = queue.claim_due()
    published: list[queue.Message] = []
    try:
        published += (message for message in batch if _publish(app, message))
    except broker.DOWN:
        queue.give_back([message for message in batch if message not in published])
        raise
    finally:
        if published:
            queue.mark_published(published)
    return len(batch)


def _publish(app: Celery, message: queue.Message) -> bool:
    try:
        app.send_task(
            message.task,
            message.args,
            message.kwargs,
            task_id=message.task_id,
            headers=message.headers,
            retries=message.retries,
            ignore_result=True,
            confirm_timeout=CONFIRMED,
        )
    except broker.DOWN:
        raise
    except Exception as error:
        log.exception("cannot be published", task=message.task, task_id=message.task_id)
        queue.park(message.task_id, f"It cannot be published: {error!r}")
        return False
    return True
