"""Whether this process can do its work: for load balancers, container engines and the gRPC health service."""

import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import redis
from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse

from framework.data.database import unpooled

KEEP = 1.0  # seconds an answer is kept
PATIENCE = 2.0  # seconds a store may take to answer
WRITE_EVERY = 10.0  # seconds between two test writes to the database
# Seconds after which a part that has not written its heartbeat counts as silent.
SILENCE = {"relay": 60, "broker": 60, "beat": 120, "queue": 300}


class Health(NamedTuple):
    """What was found, in words for operators: no addresses, no texts of exceptions."""

    problems: list[str]  # they keep this process from answering requests
    degraded: list[str]  # part of the system does not work; another process would not do better


def live(request: HttpRequest) -> JsonResponse:
    """The process answers. Under gunicorn, framework/web/worker.py answers this itself."""
    return JsonResponse({"status": "ok"})


def ready(request: HttpRequest) -> JsonResponse:
    """200 with status "ok" or "degraded"; 503 with "unavailable" while this process cannot answer requests."""
    found = check()
    status = "unavailable" if found.problems else "degraded" if found.degraded else "ok"
    lists = {name: texts for name, texts in found._asdict().items() if texts}
    return JsonResponse({"status": status, **lists}, status=503 if found.problems else 200)


def check() -> Health:
    """Ask the stores. Takes 2 s at most; an answer is kept for 1 s."""
    return _checks.health()


class _Checks:
    """Runs the checks in a thread of its own, so that a store that hangs does not hold up a request."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._found = Health([], [])
        self._expires = 0.0
        self._is_migrated = False  # it stays so: a process brings no migrations along later

    def health(self) -> Health:
        with self._lock:
            if time.monotonic() >= self._expires:
                self._run()
                self._expires = time.monotonic() + KEEP
            return self._found

    def _run(self) -> None:
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._check, name="health", daemon=True)
            self._thread.start()
        self._thread.join(PATIENCE)
        if self._thread.is_alive():
            self._found = Health([f"a store does not answer within {PATIENCE:g} s"], [])

    def _check(self) -> None:
        with unpooled() as mine:
            connections[DEFAULT_DB_ALIAS] = mine  # in this thread alone
            problems = _failures({"database": self._read_database, _name_of_redis(): _ping_redis})
            writes = {} if problems else {"database": _write_database, _name_of_redis(): _write_redis}
            degraded = [f"cannot write to {failure}" for failure in _failures(writes)]
            if not problems:
                degraded += [f"{part} is silent" for part in silent()] + _lost()
        self._found = Health(problems, degraded)

    def _read_database(self) -> str:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        if self._is_migrated:
            return ""
        executor = MigrationExecutor(connection)
        missing = len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
        self._is_migrated = not missing
        return f"{missing} migrations are not applied: run manage.py migrate" if missing else ""


_checks = _Checks()


def _failures(checks: dict[str, Callable[[], str]]) -> list[str]:
    found = {name: _failure(check) for name, check in checks.items()}
    return [f"{name}: {failure}" for name, failure in found.items() if failure]


def _failure(check: Callable[[], str]) -> str:
    try:
        return check()
    except Exception as error:  # drivers raise what they like
        return type(error).__name__


def _write_database() -> str:
    """Look whether PostgreSQL takes writes; SQLite would make this wait for its other writers."""
    if connection.vendor != "postgresql":
        return ""
    with connection.cursor() as cursor:
        cursor.execute("SHOW transaction_read_only")
        if cursor.fetchone() == ("on",):
            return "read-only"
    from framework.queue import liveness  # models, which this module is imported before

    liveness.record_heartbeat("write", at_most_every=WRITE_EVERY)  # a full disk is noticed only by writing
    return ""


def _name_of_redis() -> str:
    return "broker" if settings.CELERY_BROKER_URL == settings.REDIS_URL else "cache"


def _ping_redis() -> str:
    with _redis() as client:
        client.ping()
    return ""


def _write_redis() -> str:
    with _redis() as client:
        client.set(f"{settings.PROJECT_SLUG}:write", 1, ex=60)  # refused when maxmemory is reached
    return ""


def _redis() -> Any:
    timeout = settings.REDIS_TIMEOUT
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=timeout, socket_connect_timeout=timeout)


def silent() -> list[str]:
    """The parts whose last heartbeat is too old."""
    from framework.queue.liveness import heartbeat_ages

    ages = heartbeat_ages()
    return [part for part, limit in SILENCE.items() if ages.get(part, limit + 1) > limit]


def _lost() -> list[str]:
    return [] if settings.DEBUG or settings.EMAIL_URL else ["mail is lost: EMAIL_URL is not set"]
