"""Reads that may be a little old: where there is a replica, it answers them.

    @replica.reads_replica
    def list_products(...) -> Page[Product]:

marks a function of a repository that only reads, and on whose answer no write is decided. The replica is asked for it
in a unit of work that began as one that changes nothing (a GraphQL query, a gRPC method without side effects), until
that writes after all; never inside a transaction, in a task or a command. Whatever is not marked asks the primary.

A replica that does not answer is left alone for a while, and the primary answers instead.
"""

import time
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import structlog
from django.conf import settings
from django.db import InterfaceError, OperationalError, connection, connections
from django.db.models import Model

from framework import context

ALIAS = "replica"
REST = 10.0  # seconds for which a replica that did not answer is left alone
COOKIE = f"{settings.PROJECT_SLUG}-wrote"  # of a browser that wrote lately: its reads may not be old
COOKIE_SECONDS = 5

P = ParamSpec("P")
R = TypeVar("R")
log = structlog.get_logger("replica")

_rests_until = 0.0  # on the clock of time.monotonic(); 0 while it answers


class Router:
    """Sends what is read inside a marked function to the replica."""

    def db_for_read(self, model: type[Model], **hints: Any) -> str | None:
        return context.current().read_from


def reads_replica(read: Callable[P, R]) -> Callable[P, R]:
    """Mark a function that the replica may answer. It must have read everything when it returns: no generator."""

    @wraps(read)
    def ask(*args: P.args, **kwargs: P.kwargs) -> R:
        if not _is_asked():
            return read(*args, **kwargs)
        try:
            return _ask_replica(read, *args, **kwargs)
        except (OperationalError, InterfaceError) as error:
            log.warning("the replica does not answer", error=type(error).__name__, rests=REST)
            connections[ALIAS].close()
            return read(*args, **kwargs)

    return ask


def _is_asked() -> bool:
    return (
        context.may_read_replica()
        and ALIAS in connections.settings
        and time.monotonic() >= _rests_until
        and not connection.in_atomic_block
    )


def _ask_replica(read: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    global _rests_until
    if _rests_until:  # one read tries whether it is back; the others need not wait for it
        _rests_until = time.monotonic() + REST
    unit = context.current()
    unit.read_from = ALIAS
    try:
        found = read(*args, **kwargs)
    except (OperationalError, InterfaceError):
        _rests_until = time.monotonic() + REST
        raise
    finally:
        unit.read_from = None
    _rests_until = 0.0
    return found
