"""`./run bench restore`: the database is destroyed while customers order, and brought back from a backup.

Two web servers, worker, relay and beat, on a PostgreSQL and a Redis that are started for it. `./run backup` runs under
load; some seconds later the database is dropped, and `./run restore` runs, while customers go on. Counted are the
orders that were answered and are not there, for how long nobody could order, and mails that came twice: docs/backup.md.
"""

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from psycopg import sql

from benchmarks.faults.fleet import Fleet
from benchmarks.faults.processes import wait_for
from benchmarks.faults.traffic import Browser, Request, Traffic
from benchmarks.faults.world import Tables, World

BROWSERS = 6
DESTROYED_AFTER = 20.0  # seconds from the beginning of the backup
WORKS_WITHIN = 60.0
FILLER = "CREATE TABLE filler AS SELECT n, repeat(md5(random()::text), 32) FROM generate_series(1, 1000 * %s) AS n"
PLACED = "SELECT id FROM orders_order"


def main() -> int:
    parser = argparse.ArgumentParser(prog="./run bench restore", description=__doc__)
    parser.add_argument("--megabytes", type=int, default=200, metavar="N", help="of rows beside the orders")
    parser.add_argument("--pace", type=float, default=30, metavar="N", help="requests a second")
    parser.add_argument("--keep", action="store_true", help="keep the logs")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is ended
    world = World(quick=False, seed=0)
    try:
        world.open()
        with world.row("restore") as (database, environment):
            return drill(world, database, environment, options.megabytes, options.pace)
    finally:
        world.close(keep_logs=options.keep)


def drill(world: World, database: str, environment: dict[str, str], megabytes: int, pace: float) -> int:
    """Returns how many orders are gone that were answered before the backup began: none may be."""
    fleet = Fleet(world, environment, web=2, worker=1, relay=1, beat=1)
    Tables(world, database).write(FILLER, megabytes)
    backups = Backups(world, database)
    traffic = Traffic([Browser(fleet.front.port, fleet.shop).send for _ in range(BROWSERS)], pace)
    time.sleep(5)
    begun = time.monotonic()
    place = backups.run("backup", str(world.folder / "backups"))
    world.say(f"backed up in {time.monotonic() - begun:.1f} s")
    time.sleep(max(0.0, begun + DESTROYED_AFTER - time.monotonic()))
    lost = time.monotonic()
    with world.postgres.connect("postgres") as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(database)))
    backups.run("restore", place, "--yes")
    world.redis.client().flushall()
    restored = time.monotonic()
    world.say(f"destroyed, and restored in {restored - lost:.1f} s")
    wait_for("an order", lambda: any(r.order and r.at > restored for r in list(traffic.requests)), WORKS_WITHIN)
    time.sleep(5)
    requests, tables = traffic.stop(), Tables(world, database)
    world.say("the queue is empty" if tables.drain(120) >= 0 else "THE QUEUE DID NOT EMPTY")
    return report(world, requests, {order for (order,) in tables.all(PLACED)}, begun, lost)


class Backups:
    """`./run backup` and `./run restore` with a key pair of their own."""

    def __init__(self, world: World, database: str) -> None:
        identity = world.folder / "identity"
        subprocess.run(["age-keygen", "--output", str(identity)], check=True, capture_output=True)
        public = next(text for text in identity.read_text().splitlines() if "public key: " in text)
        files = world.folder / "files"
        files.mkdir()
        self.environment = os.environ | {
            "DATABASE_URL": world.postgres.url(database),
            "DATA_DIR": str(files),
            "BACKUP_RECIPIENT": public.rpartition(" ")[2],
            "BACKUP_IDENTITY": str(identity),
        }

    def run(self, *words: str) -> str:
        script = Path(__file__).resolve().parent.parent / "deploy" / "backup.sh"
        done = subprocess.run([str(script), *words], env=self.environment, check=True, capture_output=True, text=True)
        return done.stdout.strip()


def report(world: World, requests: Sequence[Request], there: set[int], begun: float, lost: float) -> int:
    answered = [request for request in requests if request.order]
    gone = [request for request in answered if request.order not in there]
    before = [request for request in gone if request.at + request.seconds < begun]
    again = min(request.at + request.seconds for request in answered if request.at > lost and request.order in there)
    mails = world.mail.orders()
    twice = sum(count - 1 for order, count in mails.items() if order in there)
    print(
        f"orders answered: {len(answered)}; gone: {len(gone)}, the oldest of {lost - gone[0].at:.1f} s before the loss"
    )
    print(f"of these, answered before the backup began: {len(before)}")
    print(f"the next order was answered {again - lost:.1f} s after the loss")
    print(f"mails that came twice: {twice}; orders without a mail: {len(there - mails.keys())}")
    return len(before)


if __name__ == "__main__":
    sys.exit(main())
