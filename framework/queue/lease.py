"""Renews the leases of the tasks that run in this process, so that no other worker begins them."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from django.db import Error, connection

from framework.queue import table

log = structlog.get_logger("worker")


class _Leases:
    """The running tasks, and the one thread that renews their leases; it ends when no task runs."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Start empty in a forked process, where the parent's thread does not run."""
        self._running: dict[str, tuple[float, float]] = {}  # begin and end by task id, on time.monotonic()'s clock
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def add(self, task_id: str, seconds: float) -> None:
        now = time.monotonic()
        with self._lock:
            self._running[task_id] = now, now + seconds
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="leases", daemon=True)
                self._thread.start()

    def remove(self, task_id: str) -> None:
        with self._lock:
            self._running.pop(task_id, None)

    def _run(self) -> None:
        while self._sleep():
            now = time.monotonic()
            with self._lock:
                running = [name for name, (began, end) in self._running.items() if began + _pause() <= now < end]
            if running:
                _renew(running)

    def _sleep(self) -> bool:
        """False when no task runs any more: then `add` starts another thread."""
        time.sleep(_pause())
        with self._lock:
            if not self._running:
                self._thread = None
            return bool(self._running)


def _pause() -> float:
    """Seconds between two renewals of a lease."""
    return table.LEASE.total_seconds() / 3


_leases = _Leases()
os.register_at_fork(after_in_child=_leases.reset)


@contextmanager
def held(task_id: str, seconds: float) -> Iterator[None]:
    """Renew the task's lease while the body runs, for `seconds` at most: a task that runs longer counts as hung.

    The lease of a worker that dies runs out after `table.LEASE`, and another worker begins the task.
    """
    _leases.add(task_id, seconds)
    try:
        yield
    finally:
        _leases.remove(task_id)


def _renew(task_ids: list[str]) -> None:
    try:
        table.renew_leases(task_ids)
    except Error as error:
        log.warning("leases could not be renewed: the database does not answer", error=type(error).__name__)
    finally:
        connection.close()  # this thread's own, which would stay idle beside that of the tasks
