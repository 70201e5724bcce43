"""`./run bench queue`: tasks a second, CPU of a task, and the time from the commit to the start, in about a minute."""

import argparse
import json
import os
import time
from pathlib import Path
from statistics import quantiles
from typing import NamedTuple

from benchmarks.faults.probe import stamps
from benchmarks.faults.processes import Process
from benchmarks.faults.world import World

COUNT, SLOWLY = 1000, (200, 20)  # tasks at once; and tasks, so many a second
TICKS = os.sysconf("SC_CLK_TCK")


class Row(NamedTuple):
    peer: str
    per_second: float
    worker_ms: float  # of CPU a task, the worker's processes together
    relay_ms: float
    start_p50: float  # milliseconds from the end of the transaction to the start, at SLOWLY
    start_p99: float


def main() -> None:
    parser = argparse.ArgumentParser(prog="./run bench queue", description=__doc__)
    parser.add_argument("--count", type=int, default=COUNT, help="tasks that are enqueued at once")
    parser.add_argument("--only", choices=["bare", "ours"])
    options = parser.parse_args()
    world = World(quick=False, seed=0)
    try:
        world.open()
        rows = [_measure(world, peer, options.count) for peer in ("bare", "ours") if options.only in (None, peer)]
    finally:
        world.close(keep_logs=False)
    print("\n| | tasks/s | worker, ms of CPU | relay, ms of CPU | commit to start, p50 ms | p99 |")
    print("|---|---|---|---|---|---|")
    for row in rows:
        print(f"| {row.peer} | {row.per_second:.0f} | " + " | ".join(f"{value:.2f}" for value in row[2:]) + " |")


def _measure(world: World, peer: str, count: int) -> Row:
    with world.row(f"queue_{peer}") as (database, environment):
        with world.postgres.connect(database) as connection:  # nobody waits for the disk: what is measured is the work
            connection.execute(f"ALTER DATABASE {database} SET synchronous_commit = off")
        environment |= {"LOG_LEVEL": "INFO"}
        worker, relay = _start(world, peer, environment)
        _send(world, peer, environment, 20, 20)  # warms up
        before = _cpu(worker), _cpu(relay)
        committed, begun = _send(world, peer, environment, count, 0)
        time.sleep(1)
        cpu = [(_cpu(process) - cost) * 1000 / count for process, cost in zip((worker, relay), before, strict=True)]
        rate = count / (max(begun.values()) - committed[0])
        committed, begun = _send(world, peer, environment, *SLOWLY)
        cuts = quantiles([(begun[number] - at) * 1000 for number, at in enumerate(committed)], n=100)
        return Row(peer, rate, *cpu, cuts[49], cuts[98])


def _start(world: World, peer: str, environment: dict[str, str]) -> tuple[Process, Process | None]:
    environment["STAMPS"] = str(world.folder / "stamps")
    if peer == "ours":
        return world.worker(environment), world.relay(environment)
    words = ("--pool", "prefork", "--concurrency", "2", "--loglevel", "INFO")
    return world.start("bare", environment, "-m", "celery", "-A", "benchmarks.queue.bare", "worker", *words), None


def _send(
    world: World, peer: str, environment: dict[str, str], count: int, per_second: int
) -> tuple[list[float], dict[int, float]]:
    path = Path(environment["STAMPS"])
    path.unlink(missing_ok=True)
    world.say(f"{peer}: {count} tasks")
    committed = json.loads(world.run(environment, "-m", "benchmarks.queue.send", peer, str(count), str(per_second)))
    return committed, stamps.read(path)


def _cpu(process: Process | None) -> float:
    """Seconds of CPU that it and its children have used."""
    pids = [process.pid, *process.children()] if process else []
    return sum(sum(map(int, _stat(pid)[11:13])) for pid in pids) / TICKS


def _stat(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


if __name__ == "__main__":
    main()
