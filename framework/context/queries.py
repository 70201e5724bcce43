"""Has every database connection count its queries for the access line, and stop those that nobody waits for."""

import contextlib
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from django.db import OperationalError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from framework.context import trace
from framework.context.unit import UnitOfWork, current

CANCEL_TIMEOUT = 1.0  # seconds for the message that cancels a query
MAX_QUERY = 2000  # characters of a query in a trace


def guard_queries() -> None:
    """Wrap the queries of all connections of this process, those to come included."""
    connection_created.connect(_guard, dispatch_uid=__name__)
    for connection in connections.all(initialized_only=True):
        _guard(connection)


def _guard(connection: BaseDatabaseWrapper, **_: Any) -> None:
    if _run_guarded not in connection.execute_wrappers:
        connection.execute_wrappers.append(_run_guarded)


def _run_guarded(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
    unit, started = current(), time.perf_counter()
    text = str(sql)  # psycopg's composed statements come by here, too
    unit.wrote = unit.wrote or not text.startswith("SELECT")
    run = partial(execute, sql, params, many, context)
    try:
        if trace.tracer is None:
            return _run(unit, context["connection"], run)
        with trace.span(text.partition(" ")[0].upper(), "client", **_attributes(text, context["connection"])):
            return _run(unit, context["connection"], run)
    finally:
        unit.queries += 1
        unit.sql_seconds += time.perf_counter() - started


def _run(unit: UnitOfWork, connection: BaseDatabaseWrapper, execute: Callable[[], Any]) -> Any:
    if unit.deadline is None and unit.client is None:
        return execute()
    unit.enter_query(partial(_cancel, connection))
    try:
        return execute()
    except OperationalError as error:  # a query that was cancelled is no fault of the database
        if unit.is_over():
            raise unit.exceeded() from error
        raise
    finally:
        unit.leave_query()


def _attributes(sql: str, connection: BaseDatabaseWrapper) -> dict[str, str]:
    """What a trace shows of a query: its text, in which the values are placeholders."""
    return {"db.system.name": connection.vendor, "db.query.text": sql[:MAX_QUERY]}


def _cancel(connection: BaseDatabaseWrapper) -> None:
    # The connection may break at this very moment; then there is nothing left to cancel.
    with contextlib.suppress(Exception):
        if connection.vendor == "postgresql":
            connection.connection.cancel_safe(timeout=CANCEL_TIMEOUT)
        elif connection.vendor == "sqlite":
            connection.connection.interrupt()
