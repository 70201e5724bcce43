"""Tells a store that is away, full or read-only, and a value that it cannot take, from a mistake in the code."""

import structlog
from django.db import DataError, Error, InterfaceError, OperationalError
from redis import exceptions as redis

from framework.errors import Unavailable

RETRY_AFTER = 5  # seconds, for clients that ask when to try again

_READ_ONLY = "25006"  # PostgreSQL's error code for a write to a read-only server; Django raises InternalError
_BAD_VALUE = ("user-defined function raised", "not appear to be an IPv4")  # SQLite's of its REGEXP, Python's of inet
_REDIS = (redis.ConnectionError, redis.TimeoutError, redis.OutOfMemoryError, redis.ReadOnlyError)

log = structlog.get_logger("stores")


def is_outage(error: BaseException | None) -> bool:
    """Whether the same request may succeed later, when the store works again."""
    if isinstance(error, OperationalError | InterfaceError):
        return getattr(error.__cause__, "sqlite_errorname", "") != "SQLITE_ERROR"  # a missing table, for one
    if isinstance(error, Error):
        return getattr(error.__cause__, "sqlstate", "") == _READ_ONLY
    return isinstance(error, _REDIS)


def is_bad_value(error: BaseException) -> bool:
    """Whether a value is what the database cannot take: a NUL, too large a number, what is no regular expression."""
    return isinstance(error, DataError) or any(words in str(error) for words in _BAD_VALUE)


def unavailable(error: BaseException | None) -> Unavailable | None:
    """What to tell the client in the place of `error`, which is logged; None if it is no outage."""
    if not is_outage(error):
        return None
    log.warning("a store does not answer", error=type(error).__name__, text=str(error).partition("\n")[0][:200])
    return Unavailable("The database does not answer now. Try again later.", reason="DATABASE")
