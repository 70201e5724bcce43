"""Whether this process can do its work now: its database and its broker answer."""

import threading
import time
from collections.abc import Callable

import redis
from django.conf import settings
from django.db import connections

KEEP = 1.0  # seconds an answer is kept
PATIENCE = 2.0  # seconds a store may take to answer


class _Checks:
    """Runs the checks in a thread of its own: a store that hangs holds up that thread, and no request."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._found: list[str] = []
        self._expires = 0.0

    def problems(self) -> list[str]:
        with self._lock:
            if time.monotonic() >= self._expires:
                self._ask()
                self._expires = time.monotonic() + KEEP
            return self._found

    def _ask(self) -> None:
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._check, name="readiness", daemon=True)
            self._thread.start()
        self._thread.join(PATIENCE)
        if self._thread.is_alive():
            self._found = [f"a store does not answer within {PATIENCE:g} s"]

    def _check(self) -> None:
        self._found = _check_all()


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
    connection = connections.create_connection("default")
    # Not from the pool: that all its connections are busy does not mean that the database is away.
    options = {name: value for name, value in connection.settings_dict["OPTIONS"].items() if name != "pool"}
    connection.settings_dict = {**connection.settings_dict, "OPTIONS": options}
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    finally:
        connection.close()


def _check_broker() -> None:
    with redis.Redis.from_url(
        settings.REDIS_URL,
        socket_timeout=settings.REDIS_TIMEOUT,
        socket_connect_timeout=settings.REDIS_TIMEOUT,
    ) as client:
        client.ping()
