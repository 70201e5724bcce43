"""Whether this process can do its work now: its database and its Redis answer, and the migrations are applied.

Redis is the cache, and mostly the broker, too. What others have stopped doing makes nobody unready, as taking a web
server out of its balancer does not start beat again: that is told beside, as degraded, and to Prometheus. So is a
broker of its own that is away: tasks wait in the database.
"""

import threading
import time
from collections.abc import Callable

import redis
from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.migrations.executor import MigrationExecutor

from framework.data.database import unpooled

KEEP = 1.0  # seconds an answer is kept
PATIENCE = 2.0  # seconds a store may take to answer
# Seconds after which a part that is not heard of counts as away.
SILENCE = {"relay": 60, "broker": 60, "beat": 120, "queue": 300}


class _Checks:
    """Runs the checks in a thread of its own: a store that hangs holds up that thread, and no request."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._found: list[str] = []
        self._expires = 0.0
        self._migrated = False  # it stays so: a process brings no migrations along later
        self.degraded: list[str] = []

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
        with unpooled() as mine:
            connections[DEFAULT_DB_ALIAS] = mine  # in this thread alone
            found = (_problem("database", self._look_into_database), _problem(_redis_is(), _check_redis))
        self._found = [problem for problem in found if problem]

    def _look_into_database(self) -> str:
        self.degraded = []
        _check_database()
        unmigrated = "" if self._migrated else self._unmigrated()
        if not unmigrated:
            self.degraded = _silent()
        return unmigrated

    def _unmigrated(self) -> str:
        executor = MigrationExecutor(connection)
        missing = len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
        self._migrated = not missing
        return f"migrations: {missing} not applied" if missing else ""


_checks = _Checks()


def problems() -> list[str]:
    """What keeps this process from working, in words for operators; empty when it is ready.

    Takes 2 s at most; an answer is kept for 1 s.
    """
    return _checks.problems()


def degraded() -> list[str]:
    """Which parts of the system have not been heard of lately, as of the last look for problems."""
    return _checks.degraded


def _problem(name: str, check: Callable[[], str | None]) -> str:
    try:
        return check() or ""
    except Exception as error:  # whatever a driver raises, the answer is the same
        return f"{name}: {type(error).__name__}"


def _check_database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def _redis_is() -> str:
    return "broker" if settings.CELERY_BROKER_URL == settings.REDIS_URL else "cache"


def _check_redis() -> None:
    with redis.Redis.from_url(
        settings.REDIS_URL,
        socket_timeout=settings.REDIS_TIMEOUT,
        socket_connect_timeout=settings.REDIS_TIMEOUT,
    ) as client:
        client.ping()


def _silent() -> list[str]:
    from framework.queue.liveness import heartbeat_ages  # models, which this module is imported before

    ages = heartbeat_ages()
    return [f"{part} is silent" for part, limit in SILENCE.items() if ages.get(part, limit + 1) > limit]
