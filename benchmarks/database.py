"""The benchmarks' own PostgreSQL database."""

import subprocess
import sys
from collections.abc import Mapping

import psycopg
from psycopg import conninfo, sql


def prepare(url: str, environment: Mapping[str, str]) -> str:
    """Make the database, its tables and its rows, as far as they are not there. Returns the server's version."""
    name = conninfo.conninfo_to_dict(url)["dbname"]
    server = conninfo.make_conninfo(url, dbname="postgres")
    try:
        connection = psycopg.connect(server, autocommit=True, connect_timeout=5)
    except psycopg.OperationalError as error:
        raise SystemExit(f"bench: PostgreSQL is needed at {_address(url)} (--database): {error}") from None
    with connection:
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(str(name))))
        # Nobody waits for the disk: what is measured is the server's work.
        connection.execute(sql.SQL("ALTER DATABASE {} SET synchronous_commit = off").format(sql.Identifier(str(name))))
        version = str(connection.execute("SHOW server_version").fetchone()[0])  # type: ignore[index]
    for command in (["manage.py", "migrate", "--verbosity", "0"], ["-m", "benchmarks.fill"]):
        subprocess.run([sys.executable, *command], env=dict(environment), check=True)
    return version


def _address(url: str) -> str:
    parts = conninfo.conninfo_to_dict(url)
    return f"{parts.get('host', 'localhost')}:{parts.get('port', 5432)}"
