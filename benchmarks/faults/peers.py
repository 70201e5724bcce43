"""The same harm done to Celery as it is documented: `task.delay` after the commit, early acknowledgement."""

import json
import os
import random
import sys
import time

from benchmarks.faults.processes import Process, wait_for
from benchmarks.faults.queue_rows import kill_workers
from benchmarks.faults.result import Result, percentile
from benchmarks.faults.world import Tables, World

QUIET = 20.0  # seconds without an effect, after which nothing more is expected


def workers(world: World) -> Result:
    tasks, kills, pause = (100, 15, 1.0) if world.quick else (1000, 200, 1.0)
    with world.row("peer_workers") as (database, environment):
        tables = Tables(world, database)
        peer = environment | {"PEER_DATABASE": world.postgres.url(database)}
        team = [_worker(world, peer, f"worker{number}") for number in range(2)]
        sender = world.start("sender", peer, "-m", "benchmarks.faults.peers", "send", str(tasks), str(kills * pause))
        wait_for("the first task is done", lambda: tables.counts(tasks).done, 60)
        killed = kill_workers(world, team, kills, pause, random.Random(world.seed))
        wait_for("all are sent", lambda: not sender.alive, 300)
        _quiet(tables, tasks)
        counts = tables.counts(tasks)
        return Result(
            "peer-workers",
            "peer: Celery's defaults, kill -9 of a worker, or of one of its children",
            f"{tasks} tasks, {len(killed)} kills ({killed.count('worker')} of a whole worker)",
            counts.lost,
            counts.double,
            {"runs cut short": counts.started - counts.done},
            [],
        )


def broker(world: World) -> Result:
    tasks, down, pace = (100, 5.0, 6.0) if world.quick else (1000, 30.0, 12.0)
    with world.row("peer_broker") as (database, environment):
        tables = Tables(world, database)
        peer = environment | {"PEER_DATABASE": world.postgres.url(database)}
        worker = _worker(world, peer, "worker")
        length = tasks / pace
        sender = world.start("sender", peer, "-m", "benchmarks.faults.peers", "order", str(tasks), str(length))
        wait_for("the first task is done", lambda: tables.counts(tasks).done, 60)
        time.sleep(length * 0.15)
        world.redis.process.kill()
        time.sleep(down)
        world.redis.process.start()
        world.redis.wait()
        time.sleep(length * 0.2)
        worker.freeze()
        time.sleep(2)
        world.redis.client().flushall()
        worker.thaw()
        wait_for("all are sent", lambda: not sender.alive, 600)
        _quiet(tables, tasks)
        sent = json.loads(sender.log.read_text().splitlines()[-1])
        counts = tables.counts(tasks)
        return Result(
            "peer-broker",
            f"peer: on_commit(task.delay), Redis down for {down:g} s and wiped once",
            f"{tasks} transactions",
            counts.lost,
            counts.double,
            {"refused": sent["refused"], "p99 (ms)": round(percentile(sent["seconds"], 0.99) * 1000)},
            [],
        )


def _worker(world: World, environment: dict[str, str], name: str) -> Process:
    words = ("--pool", "prefork", "--concurrency", "2", "--loglevel", "ERROR", "-n", f"{name}@%h")
    return world.start(name, environment, "-m", "celery", "-A", "benchmarks.faults.peers:app", "worker", *words)


def _quiet(tables: Tables, tasks: int) -> None:
    done, since = -1, time.monotonic()
    while time.monotonic() - since < QUIET and tables.counts(tasks).lost:
        if (now := tables.counts(tasks).done) != done:
            done, since = now, time.monotonic()
        time.sleep(0.5)


if "PEER_DATABASE" in os.environ:
    import django
    import psycopg
    from celery import Celery

    django.setup()
    app = Celery("peers", broker=os.environ["REDIS_URL"], set_as_current=False)

    @app.task(name="peers.work")
    def work(number: int, seconds: float) -> None:
        with psycopg.connect(os.environ["PEER_DATABASE"], autocommit=True) as connection:
            connection.execute("INSERT INTO faults_start VALUES (%s)", [number])
            time.sleep(seconds)
            connection.execute("INSERT INTO faults_effect VALUES (%s)", [number])


def _send(tasks: int, over: float) -> None:
    for number in range(tasks):
        work.delay(number, 0.2)
        time.sleep(over / tasks)


def _order(tasks: int, over: float) -> None:
    """One row and one task a transaction, as a view would write them."""
    from django.db import connection, transaction

    seconds, refused, begun = [], 0, time.monotonic()
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE peers_order (number int)")
    for number in range(tasks):
        time.sleep(max(0.0, begun + number * over / tasks - time.monotonic()))
        started = time.monotonic()
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("INSERT INTO peers_order VALUES (%s)", [number])
                transaction.on_commit(lambda number=number: work.delay(number, 0.0))
        except Exception:
            refused += 1  # the row is there, the customer sees an error, the task is gone
        seconds.append(time.monotonic() - started)
    print(json.dumps({"refused": refused, "seconds": seconds}))


if __name__ == "__main__":
    {"send": _send, "order": _order}[sys.argv[1]](int(sys.argv[2]), float(sys.argv[3]))
