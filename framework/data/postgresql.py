"""What a connection to PostgreSQL is given beyond what Django gives it."""

from datetime import UTC
from functools import cache, partial
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db import NotSupportedError, OperationalError, ProgrammingError
from django.db.backends.base.base import BaseDatabaseWrapper


def use_fast_timestamps(connection: BaseDatabaseWrapper, **_: Any) -> None:
    """Read timestamps by psycopg's own loader, in C: a receiver of `connection_created`.

    Django's is written in Python, to put in a time zone, which here is the connection's anyway.
    """
    if connection.vendor == "postgresql" and connection.timezone == UTC:
        connection.connection.adapters.register_loader("timestamptz", _loader())


@cache
def _loader() -> Any:
    from psycopg import adapters, pq  # needs libpq, which SQLite does without

    own: Any = adapters.get_loader(adapters.types["timestamptz"].oid, pq.Format.TEXT)
    loader: Any = partial(own)  # psycopg's class takes no attributes
    loader.__name__, loader.format = own.__name__, own.format
    loader.timezone = UTC  # Django replaces a loader that does not say so
    return loader


def require_extension(connection: BaseDatabaseWrapper, name: str, *, purpose: str) -> None:
    """Create a PostgreSQL extension from a migration unless it is there.

    Raises ImproperlyConfigured, with what to do, where the server does not have it or the role may not create it.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_extension WHERE extname = %s", [name])
        if cursor.fetchone():
            return
        try:
            cursor.execute(f"CREATE EXTENSION IF NOT EXISTS {connection.ops.quote_name(name)}")
        except (ProgrammingError, NotSupportedError, OperationalError) as error:
            cause = str(error).splitlines()[0]
            raise ImproperlyConfigured(
                f"The PostgreSQL extension {name}, for {purpose}, cannot be created: {cause}. Have an administrator run"
                f" `CREATE EXTENSION {name};` in this database (on Debian it comes with the server or with"
                " postgresql-contrib; managed services list it among the allowed ones), then migrate again."
            ) from None
