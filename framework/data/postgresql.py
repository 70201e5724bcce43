"""What a connection to PostgreSQL is given beyond what Django gives it."""

from datetime import UTC
from functools import cache
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper


def use_fast_timestamps(connection: BaseDatabaseWrapper, **_: Any) -> None:
    """Read timestamps by psycopg's own loader, in C: a receiver of `connection_created`.

    Django's is written in Python, to put in a time zone, which here is the connection's anyway.
    """
    if connection.vendor == "postgresql" and connection.timezone == UTC:
        connection.connection.adapters.register_loader("timestamptz", _loader())


@cache
def _loader() -> type:
    from psycopg import adapters, pq  # needs libpq, which SQLite does without

    own: Any = adapters.get_loader(adapters.types["timestamptz"].oid, pq.Format.TEXT)

    class UtcLoader:
        timezone = UTC  # Django replaces a loader that does not say so
        format = own.format

        def __new__(cls, oid: int, context: Any = None) -> Any:
            return own(oid, context)

    return UtcLoader
