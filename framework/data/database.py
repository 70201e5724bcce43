"""A role's connections to PostgreSQL: how they are kept, how many they may become, and whether there is room for them.

A process knows its own role, not how many replicas the others have. So what its role may open at most is compared with
what the server has left just now, which counts the others by what they have open.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, Error, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from framework.data import replica

PATIENCE = 2  # seconds for the server to take a connection
POOL_TIMEOUT = 2  # seconds a thread waits for a connection of the pool; while the database is away, each request does

_ROOM = """
    SELECT
        current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
            - coalesce(current_setting('reserved_connections', true), '0')::int,
        (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid())
"""

log = structlog.get_logger("database")


def pool_size(role: str, env: Any) -> int:
    """Connections of a process of the role web or gRPC: what DATABASE_POOL says, or else one for each thread."""
    threads = {"web": env.web_threads, "grpc": env.grpc_threads + env.grpc_streams}[role]
    size: int = env.database_pool or threads
    return size


def most(role: str, processes: int, env: Any) -> int:
    """The connections that so many processes of the role can have open at once."""
    if role in ("web", "grpc"):
        return processes * (pool_size(role, env) + 1)  # readiness asks on one of its own
    # A process of a worker: the task's, that of the thread which says that the task still runs, and that of the one
    # which publishes. Their parent: one. Relay: its own, and a scrape's.
    return {"worker": 3 * processes + 1, "beat": processes, "relay": 2 * processes, "migrate": processes}[role]


def use_pool(role: str) -> None:
    """Have this process keep its connections in a pool, unless DATABASE_POOL is 0: called before its first query."""
    for alias, given in connections.settings.items():
        if connections[alias].vendor == "postgresql" and settings.ENV.database_pool != 0:
            timeout = PATIENCE if alias == replica.ALIAS else POOL_TIMEOUT
            pool = {"min_size": 1, "max_size": pool_size(role, settings.ENV), "timeout": timeout}
            given |= {"CONN_MAX_AGE": 0, "OPTIONS": given["OPTIONS"] | {"pool": pool}}


def check_room(role: str, processes: int) -> None:
    """Warn when so many processes of the role can open more connections than the server has left.

    Only a warning, as few roles ever need all at once. A database that is away is waited for elsewhere.
    """
    if connections[DEFAULT_DB_ALIAS].vendor != "postgresql":
        return
    try:
        with unpooled() as connection:
            found = _room(connection)
    except Error:
        return
    wanted = most(role, processes, settings.ENV)
    if found and wanted > found[0] - found[1]:
        log.warning(
            "the database has too few connections",
            role=role,
            may_open=wanted,
            allowed=found[0],
            others_have_open=found[1],
            cure="fewer processes or threads, a smaller DATABASE_POOL, PgBouncer, or a higher max_connections",
        )


def is_pooled(connection: BaseDatabaseWrapper) -> bool:
    """Whether PgBouncer or its like stands before the server: it makes up the process ids that it tells clients."""
    (backend,) = _ask(connection, "SELECT pg_backend_pid()")
    return bool(backend != connection.connection.info.backend_pid)


@contextmanager
def unpooled() -> Iterator[BaseDatabaseWrapper]:
    """A connection of its own: that all those of the pool are busy does not mean that the database is away."""
    mine = connections.create_connection(DEFAULT_DB_ALIAS)
    options = {name: value for name, value in mine.settings_dict["OPTIONS"].items() if name != "pool"}
    if mine.vendor == "postgresql":
        options["connect_timeout"] = PATIENCE
    mine.settings_dict = {**mine.settings_dict, "OPTIONS": options}
    try:
        yield mine
    finally:
        mine.close()


def _room(connection: BaseDatabaseWrapper) -> tuple[int, int] | None:
    """The connections that the server allows, and those that others have; None where a pooler gives out its own."""
    return None if is_pooled(connection) else _ask(connection, _ROOM)


def _ask(connection: BaseDatabaseWrapper, query: str) -> Any:
    connection.ensure_connection()
    with connection.wrap_database_errors:  # past Django's cursor, which warns where apps are not loaded: in gunicorn
        return connection.connection.execute(query).fetchone()
