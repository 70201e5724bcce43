"""Two processes of each role behind nginx, of which one is killed while browsers and services ask."""

import os
import signal
import time
from collections.abc import Callable, Sequence
from functools import partial

from benchmarks.faults.fleet import Fleet
from benchmarks.faults.processes import Process, send, wait_for
from benchmarks.faults.result import Result, percentile
from benchmarks.faults.traffic import Browser, Request, Service, Traffic, failures
from benchmarks.faults.world import TOKEN, Tables, World

ROLES = {"web": 2, "grpc": 2, "worker": 2, "relay": 2, "beat": 2}
TICK = 2.0  # seconds between two ticks of beat
AWAY = 5.0  # seconds until what was killed is started again, as an orchestrator does
SOON = 5.0  # seconds after the kill, later than which no request may fail
IN_FLIGHT = 8 + 8  # requests that a web server's threads have in hand, and as many that wait for them
STARTED = "SELECT task_id FROM queue_queuedtask WHERE failed_at IS NULL AND due_at < now() OR leased_until > now()"
LAST_TICK = "SELECT extract(epoch FROM last_run_at) FROM django_celery_beat_periodictask WHERE name = 'tick'"
NOW = "SELECT extract(epoch FROM now())"

Kill = Callable[[Process], object]


def server(process: Process) -> None:
    """The process and its children at once, as when its container dies."""
    os.killpg(process.pid, signal.SIGKILL)
    process.process.wait()


def child(process: Process) -> None:
    send(process.children()[0], signal.SIGKILL)


def _killed(row: str, role: str, kill: Kill, what: str, world: World) -> Result:
    seconds, pace = (10.0, 20.0) if world.quick else (30.0, 50.0)
    with world.row(row.replace("-", "_")) as (database, environment):
        tables, tasks = Tables(world, database), int(seconds * 20)
        fill = ("-m", "benchmarks.faults.fill")
        world.run(environment, *fill, "ticks", str(int(TICK * 1000)))
        fleet = Fleet(world, environment, **ROLES)
        world.run(environment, *fill, "work", str(tasks), "50", str(int(seconds)))
        browsers = Traffic([Browser(fleet.front.port, fleet.shop).send for _ in range(8)], pace)
        services = Traffic([Service(fleet.front.grpc_port, TOKEN, fleet.shop).send for _ in range(4)], pace)
        wait_for("the first tick", lambda: tables.one(LAST_TICK), 60)
        time.sleep(seconds / 3)
        victim, moment = fleet.members[role][0], time.monotonic()
        world.say(f"{what} is killed")
        began = _began(tables)
        kill(victim)
        recovered = {"worker": _tasks_done, "relay": _tasks_done, "beat": _ticks}.get(role, _nothing)(tables, began)
        time.sleep(max(0.0, moment + AWAY - time.monotonic()))
        if not victim.alive:
            victim.start()
        time.sleep(max(0.0, moment + seconds * 2 / 3 - time.monotonic()))
        requests = [*browsers.stop(), *services.stop()]
        world.say("waiting until all is done")
        settled = tables.drain(120)
        return _result(world, tables, row, what, requests, moment, tasks, recovered, settled)


def _began(tables: Tables) -> tuple[float, list[str]]:
    """The moment by the database's clock, and the tasks that are due or running then."""
    return float(tables.one(NOW)), [task for (task,) in tables.all(STARTED)]


def _tasks_done(tables: Tables, began: tuple[float, list[str]]) -> float:
    statement = "SELECT count(*) FROM queue_queuedtask WHERE task_id = ANY(%s)"
    return wait_for("its tasks are done", lambda: not tables.one(statement, began[1]), 120)


def _ticks(tables: Tables, began: tuple[float, list[str]]) -> float:
    return wait_for("the next tick", lambda: tables.one(LAST_TICK) > began[0], 120)


def _nothing(tables: Tables, began: tuple[float, list[str]]) -> float:
    return 0.0


def _result(
    world: World,
    tables: Tables,
    row: str,
    what: str,
    requests: Sequence[Request],
    moment: float,
    tasks: int,
    recovered: float,
    settled: float,
) -> Result:
    failed = [request for request in requests if request.problem]
    late = [request for request in failed if request.at > moment + SOON]
    last = max((request.at + request.seconds - moment for request in failed), default=0.0)
    counts = tables.counts(tasks)
    committed = {order for (order,) in tables.all("SELECT id FROM orders_order")}
    mailed = world.mail.orders()
    lost = sum(1 for request in requests if request.order and request.order not in committed & mailed.keys())
    problems = [f"{len(late)} requests failed later than {SOON:g} s after"] if late else []
    problems += [f"{len(failed)} requests failed"] if len(failed) > IN_FLIGHT else []
    problems += [] if settled >= 0 and not tables.failed() else ["the queue did not empty"]
    return Result(
        row,
        f"kill -9 of {what}",
        f"{len(requests):,} requests, {len(committed)} orders, {tasks} tasks",
        lost + counts.lost,
        counts.double,
        {
            "failed": ", ".join(f"{count} {name}" for name, count in failures(requests).items()) or 0,
            "recovered after (s)": round(max(recovered, last), 1),
            "p99 (ms)": f"{percentile([request.seconds for request in requests], 0.99) * 1000:.0f}",
        },
        problems,
    )


web = partial(_killed, "one-web", "web", server, "one of two web servers")
web_worker = partial(_killed, "one-web-worker", "web", child, "one of four processes of the web servers")
grpc = partial(_killed, "one-grpc", "grpc", server, "one of two gRPC servers")
worker = partial(_killed, "one-worker", "worker", server, "one of two workers")
relay = partial(_killed, "one-relay", "relay", server, "one of two relays")
beat = partial(_killed, "one-beat", "beat", server, "one of two beats")
