"""Workers and relays that are killed, tasks that kill their worker, and how fast the queue is."""

import json
import random
import signal
import time

from benchmarks.faults.processes import Process, send, wait_for
from benchmarks.faults.result import Result, percentile
from benchmarks.faults.world import Tables, World

SETTLE = 600.0


def workers(world: World) -> Result:
    tasks, kills, pause = (100, 15, 1.0) if world.quick else (1000, 200, 1.0)
    luck = random.Random(world.seed)
    with world.row("workers") as (database, environment):
        tables = Tables(world, database)
        world.run(environment, "-m", "benchmarks.faults.fill", "work", str(tasks), "200", str(int(kills * pause)))
        team = [world.worker(environment, f"worker{number}") for number in range(2)]
        world.relay(environment)
        wait_for("the first task is done", lambda: tables.counts(tasks).done, 60)
        killed = kill_workers(world, team, kills, pause, luck)
        world.say("waiting until all is done")
        settled = tables.drain(SETTLE)
        failed = tables.retry_failed()
        settled += tables.drain(SETTLE)
        counts = tables.counts(tasks)
        return Result(
            "workers",
            "kill -9 of a worker, or of one of its children",
            f"{tasks} tasks, {len(killed)} kills ({killed.count('worker')} of a whole worker)",
            counts.lost,
            counts.double,
            {
                "runs cut short": counts.started - counts.done,
                "failed after 3 deaths, then retried by hand": failed,
                "settled after (s)": round(settled, 1),
            },
            [] if len(killed) == kills else ["not all kills hit"],
        )


def kill_workers(world: World, team: list[Process], kills: int, pause: float, luck: random.Random) -> list[str]:
    """Kill a child three times out of four, else the whole worker, which is started again. What was killed."""
    killed: list[str] = []
    while len(killed) < kills:
        time.sleep(pause * luck.uniform(0.5, 1.5))
        victim = luck.choice(team)
        children = victim.children()
        if luck.random() < 0.75 and children:
            if send(luck.choice(children), signal.SIGKILL):
                killed.append("child")
        else:
            victim.kill()
            victim.start()
            killed.append("worker")
        if len(killed) % 20 == 0:
            world.say(f"{len(killed)} of {kills} killed")
    return killed


def poison(world: World) -> Result:
    tasks = 50
    with world.row("poison") as (database, environment):
        tables = Tables(world, database)
        world.run(environment, "-m", "benchmarks.faults.fill", "poison", "2")
        world.run(environment, "-m", "benchmarks.faults.fill", "work", str(tasks), "50", "0")
        world.worker(environment)
        world.relay(environment)
        others = wait_for("the others are done", lambda: tables.counts(tasks).lost == 0, 120)
        both = wait_for("the poison has failed", lambda: tables.failed() == 2, 60 + 120 / world.haste)
        deaths = tables.one("SELECT count(*) FROM faults_start WHERE number < 0")
        counts = tables.counts(tasks)
        return Result(
            "poison",
            "2 tasks that kill their worker each time",
            f"{tasks} other tasks behind them",
            counts.lost,
            counts.double,
            {"deaths": deaths, "others done after (s)": round(others, 1), "failed after (s)": round(others + both, 1)},
            [] if deaths == 6 else [f"{deaths} deaths instead of 3 for each"],
        )


def relays(world: World) -> Result:
    tasks, kills, pause = (200, 8, 1.0) if world.quick else (2000, 100, 1.5)
    luck = random.Random(world.seed)
    with world.row("relays") as (database, environment):
        tables = Tables(world, database)
        world.run(environment, "-m", "benchmarks.faults.fill", "work", str(tasks), "0", str(int(kills * pause)))
        world.worker(environment)
        team = [world.relay(environment, f"relay{number}") for number in range(2)]
        wait_for("the first task is done", lambda: tables.counts(tasks).done, 60)
        for number in range(kills):
            time.sleep(pause * luck.uniform(0.5, 1.5))
            victim = luck.choice(team)
            victim.kill()
            victim.start()
            if (number + 1) % 20 == 0:
                world.say(f"{number + 1} of {kills} killed")
        settled = tables.drain(SETTLE)
        counts = tables.counts(tasks)
        return Result(
            "relays",
            "kill -9 of one of two relays",
            f"{tasks} tasks, {kills} kills",
            counts.lost,
            counts.double,
            {"settled after (s)": round(settled, 1), "failed": tables.failed()},
            [] if settled >= 0 else ["the queue did not empty"],
        )


def speed(world: World) -> Result:
    """No fault: what the safety costs."""
    tasks = 1000 if world.quick else 10_000
    with world.row("speed") as (database, environment):
        tables = Tables(world, database)
        fill = ("-m", "benchmarks.faults.fill", "work")
        enqueued = json.loads(world.run(environment, *fill, str(tasks), "0", "0"))
        world.relay(environment)
        published = "SELECT count(*) FROM queue_queuedtask WHERE times_published > 0"
        wait_for("the relay begins", lambda: tables.one(published), 60)
        already, started = tables.one(published), time.monotonic()
        wait_for("all are published", lambda: tables.one(published) >= tasks * 0.9, 300)
        relayed = (tables.one(published) - already) / (time.monotonic() - started)
        world.worker(environment)
        wait_for("the worker begins", lambda: tables.counts(tasks).done, 60)
        already, started = tables.counts(tasks).done, time.monotonic()
        wait_for("all are done", lambda: not tables.counts(tasks).lost, 600)
        worked = (tasks - already) / (time.monotonic() - started)
        lost = tables.counts(tasks).lost
        latencies = _latencies(world, tables, environment)
        return Result(
            "speed",
            "none: how fast the queue is, one relay, one worker of two processes",
            f"{tasks} tasks",
            lost,
            0,
            {
                "enqueued a second": round(tasks / enqueued),
                "published a second": round(relayed),
                "done a second": round(worked),
                "ms from commit to start": f"{percentile(latencies, 0.5):.0f} (p99 {percentile(latencies, 0.99):.0f})",
            },
            [],
        )


def _latencies(world: World, tables: Tables, environment: dict[str, str]) -> list[float]:
    """Milliseconds from the commit to the start of a task, when little is going on."""
    tables.drain(60)
    tables.write("TRUNCATE faults_start, faults_effect")
    world.run(environment, "-m", "benchmarks.faults.fill", "work", "100", "0", "10")
    due = dict(tables.all("SELECT (args->>0)::int, extract(epoch FROM due_at) FROM queue_queuedtask"))
    tables.drain(60)
    started = dict(tables.all("SELECT number, extract(epoch FROM at) FROM faults_start"))
    return [float(started[number] - moment) * 1000 for number, moment in due.items() if number in started]
