"""Bulk inserts from many connections at once: do ids collide? `DATABASE_URL=postgres://... python -m benchmarks.ids`

Makes a table of its own in that database, and drops it at the end.
"""

import argparse
import os
import sys
import threading
import time

import psycopg

from framework.ids import EPOCH_MS
from project.settings import SHARD_ID

TABLE = "benchmark_ids"


def insert(url: str, statements: int, rows: int, failures: list[str]) -> None:
    """So many statements of so many rows each, over one connection."""
    with psycopg.connect(url, autocommit=True) as connection:
        for _ in range(statements):
            try:
                connection.execute(f"INSERT INTO {TABLE} (n) SELECT n FROM generate_series(1, %s) n", [rows])
            except psycopg.errors.UniqueViolation as error:
                failures.append(str(error).splitlines()[0])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--statements", type=int, default=5, help="of each connection")
    parser.add_argument("--rows", type=int, default=100_000, help="of each statement")
    options = parser.parse_args()
    url = os.environ.get("DATABASE_URL")
    if not url:
        sys.exit("DATABASE_URL must name a migrated PostgreSQL database: its next_id() is what is tried.")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"DROP TABLE IF EXISTS {TABLE}")
        connection.execute(f"CREATE TABLE {TABLE} (id bigint PRIMARY KEY DEFAULT next_id(), n int)")
        try:
            return run(connection, url, options)
        finally:
            connection.execute(f"DROP TABLE {TABLE}")


def run(connection: psycopg.Connection, url: str, options: argparse.Namespace) -> int:
    failures: list[str] = []
    arguments = (url, options.statements, options.rows, failures)
    threads = [threading.Thread(target=insert, args=arguments) for _ in range(options.connections)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        time.sleep(1)
        print(f"\r{time.perf_counter() - started:5.0f} s, {len(failures)} collisions", end="", file=sys.stderr)
    seconds = time.perf_counter() - started
    (count,) = connection.execute(f"SELECT count(*) FROM {TABLE}").fetchone() or (0,)
    tried = options.connections * options.statements
    print(f"\n{count:,} rows by {options.connections} connections in {seconds:.1f} s: {count / seconds:,.0f} a second")
    print(f"{len(failures)} of {tried} statements failed; epoch {EPOCH_MS}, shard {SHARD_ID}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
