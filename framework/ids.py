"""64-bit ids that grow with time: 41 bits of milliseconds, 6 of shard, 16 of sequence.

The column's default makes them, so raw SQL gets one too. On PostgreSQL the default is a function over a sequence
that all tables share, on SQLite the same arithmetic in Python. 65,536 ids a millisecond leave room for what
happens between a backend's look at the clock and its look at the sequence; see docs/decisions.md.
After https://instagram-engineering.com/sharding-ids-at-instagram-1cf5a71e5a5c, with other widths.
"""

import threading
import time
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.db import connections, models
from django.db.backends.base.base import BaseDatabaseWrapper

from framework.errors import InvalidArgument

EPOCH_MS = 1_735_689_600_000  # 2025-01-01T00:00:00Z; 41 bits last until 2094
SHARD_BITS = 6
SEQUENCE_BITS = 16

_POSTGRESQL_FUNCTION = f"""
    CREATE OR REPLACE FUNCTION next_id() RETURNS bigint LANGUAGE sql VOLATILE AS $$
        SELECT (floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint - {EPOCH_MS})
               << {SHARD_BITS + SEQUENCE_BITS}
            | {{shard}}
            | (nextval('id_sequence') & {(1 << SEQUENCE_BITS) - 1})
    $$
"""  # noqa: S608

_lock = threading.Lock()
_last_tick = 0


def compose(tick: int, shard: int) -> int:
    """An id from a tick: milliseconds since the epoch, then SEQUENCE_BITS of sequence."""
    milliseconds, sequence = divmod(tick, 1 << SEQUENCE_BITS)
    return milliseconds << (SHARD_BITS + SEQUENCE_BITS) | shard << SEQUENCE_BITS | sequence


def next_id() -> int:
    """The next id of this process, for SQLite.

    SQLite calls it while it holds the database's one write lock; the sequence is the clock's fraction of the
    millisecond (15 ns a step), so two processes cannot make the same id, and within one the ids only grow.
    """
    global _last_tick
    now = ((time.time_ns() - EPOCH_MS * 1_000_000) << SEQUENCE_BITS) // 1_000_000
    with _lock:
        _last_tick = max(now, _last_tick + 1)
        return compose(_last_tick, settings.SHARD_ID)


def created_at(identifier: int) -> datetime:
    """When the id was made, to the millisecond, in UTC."""
    milliseconds = (identifier >> (SHARD_BITS + SEQUENCE_BITS)) + EPOCH_MS
    return datetime.fromtimestamp(milliseconds / 1000, tz=UTC)


def shard(identifier: int) -> int:
    """The SHARD_ID of the database that made the id."""
    return identifier >> SEQUENCE_BITS & ((1 << SHARD_BITS) - 1)


def install_on_postgresql(using: str, **_: Any) -> None:
    """Create or replace `next_id()` with this database's shard: a receiver of `pre_migrate`.

    Not a migration, because Django's own table of applied migrations takes its ids from it.
    """
    connection = connections[using]
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("CREATE SEQUENCE IF NOT EXISTS id_sequence")
            cursor.execute(_POSTGRESQL_FUNCTION.format(shard=settings.SHARD_ID << SEQUENCE_BITS))


def install_on_sqlite(connection: BaseDatabaseWrapper, **_: Any) -> None:
    """Give a new SQLite connection its `next_id()`: a receiver of `connection_created`."""
    if connection.vendor == "sqlite":
        connection.connection.create_function("next_id", 0, next_id)


class IdField(models.BigAutoField):
    """The primary key of every table: DEFAULT_AUTO_FIELD."""

    def db_type(self, connection: BaseDatabaseWrapper) -> str:
        return "bigint"  # SQLite's "integer" would be its row number, which no default can fill

    def db_type_suffix(self, connection: BaseDatabaseWrapper) -> str:
        return "DEFAULT next_id()" if connection.vendor == "postgresql" else "DEFAULT (next_id())"


def parse(text: str, *, field: str = "id") -> int:
    """The id a client wrote as text. Raises InvalidArgument, naming the field, for what is no id."""
    if text.isascii() and text.isdigit() and len(text) <= 19 and (value := int(text)) < 1 << 63:
        return value
    raise InvalidArgument(f"{text[:40]!r} is not an id.", fields={field: "not an id"})
