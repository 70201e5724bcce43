"""Publishes tasks right after the commit, in a thread of the process that enqueued them.

The relay stays the net beneath. It finds a task's row due after HEAD_START: when this process died, when the broker is
away, or when too many tasks wait here. A task that both publish runs once, as any of which there are copies.
"""

import os
import queue
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import partial

import structlog
from amqp.exceptions import MessageNacked
from celery import Celery, current_app
from django.db import Error, connection, transaction

from framework.queue import broker, outbox
from framework.queue.models import QueuedTask

log = structlog.get_logger("publisher")

ROOM = 1000  # tasks that may wait for the thread
GATHER = 0.5  # seconds in which tasks are published before one UPDATE notes them all
PAUSE = 5.0  # seconds for which the relay gets all tasks after the broker has not taken one
CONFIRMED = 2.0  # seconds within which the broker must have taken a message
# The broker did not take a message, which says nothing against the message. (kombu raises AttributeError on a
# connection that was closed meanwhile.)
NOT_TAKEN = (*broker.DOWN, MessageNacked, AttributeError)


class _Publisher:
    """The tasks that wait, and the one thread that publishes them; requests never wait for it."""

    def __init__(self) -> None:
        self.enabled = False
        self.reset()

    def reset(self) -> None:
        """Start empty in a forked process, where the parent's thread does not run."""
        self._waiting: queue.Queue[outbox.Message] = queue.Queue(ROOM)
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._pause_ends = 0.0  # on the clock of time.monotonic()

    def takes_tasks(self) -> bool:
        return self.enabled and time.monotonic() >= self._pause_ends and not self._waiting.full()

    def put(self, message: outbox.Message) -> None:
        """Publish it soon. Beyond ROOM, and while the broker is away, it is left to the relay."""
        if self.takes_tasks():
            with suppress(queue.Full):
                self._waiting.put_nowait(message)
            self._start_thread()

    def _start_thread(self) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="publisher", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while True:
            self.publish_burst(self._burst())

    def publish_burst(self, messages: Iterator[outbox.Message]) -> None:
        """Publish them, and note in one UPDATE which ones the broker has."""
        _note([message.task_id for message in messages if self._publish(message)])

    def _publish(self, message: outbox.Message) -> bool:
        """Whether the broker took the message. If not, it is the relay's, which knows what to do with it."""
        if not self.takes_tasks():
            return False
        try:
            send(current_app, message)
        except Exception as error:
            log.warning("a task was not published: the relay tries it", task=message.task, error=repr(error))
            if isinstance(error, NOT_TAKEN):
                self._pause_ends = time.monotonic() + PAUSE
            return False
        return True

    def _burst(self) -> Iterator[outbox.Message]:
        """Messages as they come, until GATHER after the first."""
        yield self._waiting.get()
        end = time.monotonic() + GATHER
        with suppress(queue.Empty):
            while (left := end - time.monotonic()) > 0:
                yield self._waiting.get(timeout=left)


_publisher = _Publisher()
os.register_at_fork(after_in_child=_publisher.reset)


def enable() -> None:
    """This process lives for long, so it publishes what it enqueues. Others leave all to the relay."""
    _publisher.enabled = True


def takes_tasks() -> bool:
    """Whether what is enqueued now is published by this process: then its row is due HEAD_START later."""
    return _publisher.takes_tasks()


def publish_on_commit(row: QueuedTask) -> None:
    """Publish it after the caller's transaction. Its row is due HEAD_START later."""
    transaction.on_commit(partial(_publisher.put, outbox.message(row, row.queued_at)), robust=True)


def send(app: Celery, message: outbox.Message) -> None:
    """Give the message to the broker. Raises one of NOT_TAKEN, or what kombu raises for one that cannot be sent."""
    app.send_task(
        message.task,
        message.args,
        message.kwargs,
        task_id=message.task_id,
        headers=message.headers | {broker.PUBLISHED: message.taken_up.isoformat()},
        retries=message.retries,
        queue=broker.queue_name(app.conf.task_default_queue, message.priority),
        ignore_result=True,
        confirm_timeout=CONFIRMED,
    )


def _note(task_ids: list[str]) -> None:
    try:
        if task_ids:
            outbox.mark_first_published(task_ids)
    except Error as error:
        log.warning("published tasks were not noted: the relay sends copies", error=type(error).__name__)
    finally:
        connection.close()  # this thread's own, which would stay idle beside those of the requests
