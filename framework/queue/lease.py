"""Says of a task, while it runs, that its worker is alive."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from django.db import Error, connection

from framework.queue import table

log = structlog.get_logger("worker")


@contextmanager
def held(task_id: str, seconds: float) -> Iterator[None]:
    """Keep others from running the task too, for so many seconds at most: then it counts as hung.

    A worker that dies stops saying so, and the task is begun anew elsewhere.
    """
    done = threading.Event()
    lease = threading.Thread(target=_renew_until, args=(task_id, seconds, done), name="lease", daemon=True)
    lease.start()
    try:
        yield
    finally:
        done.set()


def _renew_until(task_id: str, seconds: float, done: threading.Event) -> None:
    pause, end = table.LEASE.total_seconds() / 3, time.monotonic() + seconds
    try:
        while not done.wait(pause) and time.monotonic() < end and _renew(task_id):
            pass
    finally:
        connection.close()  # this thread's own, if it took one


def _renew(task_id: str) -> bool:
    try:
        return table.renew_lease(task_id)
    except Error as error:
        log.warning("the database does not answer", task_id=task_id, error=type(error).__name__)
        connection.close()
        return True
