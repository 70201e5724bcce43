"""Whether this process can do its work now: its database and its broker answer."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import redis
from django.conf import settings
from django.db import connections

KEEP = 1.0  # seconds an answer is kept
PATIENCE = 2.0  # seconds a store may take to answer


class _Checks:
    """Runs the checks in a thread of its own: a store that hangs holds up that thread, and no request."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="readiness")
        self._running: Future[list[str]] | None = None
        self._answer: list[str] = []
        self._expires = 0.0

    def problems(self) -> list[str]:
        with self._lock:
            if time.monotonic() >= self._expires:
                self._answer = self._ask()
                self._expires = time.monotonic() + KEEP
            return self._answer

    def _ask(self) -> list[str]:
        if self._running is None or self._running.done():
            self._running = self._pool.submit(_check_all)
        try:
            return self._running.result(timeout=PATIENCE)
        except TimeoutError:
            return [f"a store does not answer within {PATIENCE:g} s"]


_checks = _Checks()


def problems() -> list[str]:
    """What keeps this process from working, in words for operators; empty when it is ready.

    Takes 2 s at most; an answer is kept for 1 s.
    """
    return _checks.problems()


def _check_all() -> list[str]:
    checks = (("database", _check_database), ("broker", _check_broker))
    return [problem for name, check in checks if (problem := _problem(name, check))]


def _problem(name: str, check: Callable[[], None]) -> str:
    try:
        check()
    except Exception as error:  # whatever a driver raises, the answer is the same
        return f"{name}: {type(error).__name__}"
    return ""


def _check_database() -> None:
    connection = connections["default"]
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    finally:
        connection.close()  # to find out again, the next time, whether one can connect


def _check_broker() -> None:
    with redis.Redis.from_url(
        settings.REDIS_URL,
        socket_timeout=settings.REDIS_TIMEOUT,
        socket_connect_timeout=settings.REDIS_TIMEOUT,
    ) as client:
        client.ping()
