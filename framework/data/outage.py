"""Tells a store that is away, full or read-only from a mistake in the code."""

import structlog
from django.db import Error, InterfaceError, OperationalError
from redis import exceptions as redis

from framework.errors import Unavailable

RETRY_AFTER = 5  # seconds, for clients that ask when to try again

_READ_ONLY = "25006"  # PostgreSQL's error code for a write to a read-only server; Django raises InternalError
_REDIS = (redis.ConnectionError, redis.TimeoutError, redis.OutOfMemoryError, redis.ReadOnlyError)

log = structlog.get_logger("stores")


def is_outage(error: BaseException | None) -> bool:
    """Whether the same request may succeed later, when the store works again."""
    if isinstance(error, OperationalError | InterfaceError):
        return getattr(error.__cause__, "sqlite_errorname", "") != "SQLITE_ERROR"  # a missing table, for one
    if isinstance(error, Error):
        return getattr(error.__cause__, "sqlstate", "") == _READ_ONLY
    return isinstance(error, _REDIS)


def unavailable(error: BaseException | None) -> Unavailable | None:
    """What to tell the client in the place of `error`, which is logged; None if it is no outage."""
    if not is_outage(error):
        return None
    log.warning("a store does not answer", error=type(error).__name__, text=str(error).partition("\n")[0][:200])
    return Unavailable("The database does not answer now. Try again later.", reason="DATABASE")
