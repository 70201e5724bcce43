"""`./run bench cost`: what a request, a call and a task cost, in CPU, memory and connections. See docs/scaling.md.

One process of each role behind nginx, on a PostgreSQL and a Redis that are started for it. The CPU is what
the kernel counts for each of them, so that other work on the machine hardly matters.
"""

import argparse
import signal
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.faults.fleet import Fleet
from benchmarks.faults.processes import Process, children, wait_for
from benchmarks.faults.traffic import Browser, Sender, Service, failures
from benchmarks.faults.world import TOKEN, Tables, World
from benchmarks.servers import cpu

ROLES = ("web", "grpc", "worker", "relay", "beat")
AT_ONCE = 4
ORDER = "an order, and its two tasks"
CONNECTIONS = "SELECT application_name, count(*) FROM pg_stat_activity WHERE application_name = ANY(%s) GROUP BY 1"


class Work(NamedTuple):
    name: str
    units: int
    milliseconds: dict[str, float]  # of CPU a unit, by part


def main() -> int:
    parser = argparse.ArgumentParser(prog="./run bench cost", description=__doc__)
    parser.add_argument("--units", type=int, default=2000, metavar="N", help="of each piece of work")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is ended
    world = World(quick=False, seed=0)
    try:
        world.open()
        with world.row("cost") as (database, environment):
            fleet = Fleet(world, environment | {"WEB_WORKERS": "1"}, **dict.fromkeys(ROLES, 1))
            report(measure(world, environment, fleet, Tables(world, database), options.units))
            report_memory(fleet, Tables(world, database))
    except KeyboardInterrupt:
        print("\nstopped", flush=True)
        return 130
    finally:
        world.close(keep_logs=False)
    return 0


def measure(world: World, environment: dict[str, str], fleet: Fleet, tables: Tables, units: int) -> list[Work]:
    """All pieces of work, one after the other; each is done a little beforehand, to warm up."""
    parts = {role: fleet.members[role][0] for role in ROLES}
    parts |= {"nginx": fleet.front.process, "PostgreSQL": world.postgres.process, "Redis": world.redis.process}
    browsers = {
        "one product": ("one",),
        "a page of 10 products": ("list",),
        ORDER: ("order",),
    }
    runs: dict[str, Callable[[int, int], None]] = {
        name: lambda first, count, works=works: drive(  # type: ignore[misc]
            [Browser(fleet.front.port, fleet.shop, works).send for _ in range(AT_ONCE)], first, count
        )
        for name, works in browsers.items()
    }
    runs["a gRPC call for 3 products"] = lambda first, count: drive(
        [Service(fleet.front.grpc_port, TOKEN, fleet.shop).send for _ in range(AT_ONCE)], first, count
    )

    def tasks(first: int, count: int) -> None:
        world.run(environment, "-m", "benchmarks.faults.fill", "work", str(count), "0", "0")

    runs["a task"] = tasks
    found = []
    for name, run in runs.items():
        world.say(name)
        run(0, units // 10)
        wait_for("the queue is empty", lambda: not tables.queued(), 600)
        before = spent(parts)
        run(units, units)
        wait_for("the queue is empty", lambda: not tables.queued(), 600)
        after = spent(parts)
        found.append(Work(name, units, {part: (after[part] - before[part]) / units * 1000 for part in parts}))
    return found


def drive(senders: Sequence[Sender], first: int, count: int) -> None:
    """So many requests, each sender's next when its last was answered. Raises RuntimeError when one fails."""
    numbers = iter(range(first, first + count))
    lock, done = threading.Lock(), []

    def run(send: Sender) -> None:
        while True:
            with lock:
                number = next(numbers, None)
            if number is None:
                return
            done.append(send(number))

    threads = [threading.Thread(target=run, args=(send,)) for send in senders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if problems := failures(done):
        raise RuntimeError(f"requests failed: {dict(problems)}")


def spent(parts: Mapping[str, Process]) -> dict[str, float]:
    return {part: cpu(process.pid) for part, process in parts.items()}


def report(works: Sequence[Work]) -> None:
    parts = list(works[0].milliseconds)
    print(f"\nCPU in ms for each, of {works[0].units:,}\n\n| | {' | '.join(parts)} |\n|{'---|' * (len(parts) + 1)}")
    for work in works:
        print(f"| {work.name} | {' | '.join(f'{work.milliseconds[part]:.2f}' for part in parts)} |")


def report_memory(fleet: Fleet, tables: Tables) -> None:
    connections = dict(tables.all(CONNECTIONS, list(ROLES)))
    print("\n| | processes | PSS MiB | connections to PostgreSQL |\n|---|---|---|---|")
    for role in ROLES:
        pid = fleet.members[role][0].pid
        shares = [f"{pss(one):.0f}" for one in (pid, *children(pid))]
        print(f"| {role} | {len(shares)} | {' + '.join(shares)} | {connections.get(role, 0)} |")


def pss(pid: int) -> float:
    """MiB of a process, what it shares divided by those it shares it with."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(text.partition("\nPss:")[2].split()[0]) / 1024


if __name__ == "__main__":
    sys.exit(main())
