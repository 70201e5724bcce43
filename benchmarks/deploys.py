"""`./run bench deploys`: web servers are replaced while browsers read and order, and each request must be answered.

Two web servers behind the project's nginx, on a PostgreSQL and a Redis that are started for it. In turn one of them is
reloaded (SIGHUP), or ended (SIGTERM) and started again, as a rolling deploy does. See docs/scaling.md.
"""

import argparse
import signal
import sys
import time
import urllib.request
from collections.abc import Sequence

from benchmarks.faults.fleet import Fleet
from benchmarks.faults.front import Caddy
from benchmarks.faults.processes import Process, send, wait_for
from benchmarks.faults.result import percentile
from benchmarks.faults.traffic import Browser, Request, Traffic, failures
from benchmarks.faults.world import Tables, World

BROWSERS = 12
PAUSE = 3.0  # seconds between a server that is ready and the next deploy; longer than nginx leaves a server alone
READY_WITHIN = 60.0
COMMITTED = "SELECT id FROM orders_order"


def main() -> int:
    parser = argparse.ArgumentParser(prog="./run bench deploys", description=__doc__)
    parser.add_argument("--deploys", type=int, default=20, metavar="N")
    parser.add_argument(
        "--requests", type=int, default=20_000, metavar="N", help="at least; as long as the deploys take"
    )
    parser.add_argument("--pace", type=float, default=150, metavar="N", help="requests a second")
    parser.add_argument("--caddy", action="store_true", help="with the project's Caddy in front of nginx")
    parser.add_argument("--keep", action="store_true", help="keep the logs; they are kept anyway when requests fail")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is ended
    world = World(quick=False, seed=0)
    failed = 1
    print(f"logs in {world.folder}", flush=True)
    try:
        world.open()
        with world.row("deploys") as (database, environment):
            fleet = Fleet(world, environment, web=2)
            port = caddy(world, fleet) if options.caddy else fleet.front.port
            requests = deploy_under_load(world, fleet, port, options.deploys, options.requests, options.pace)
            failed = report(requests, Tables(world, database), options.deploys)
    except KeyboardInterrupt:
        print("\nstopped", flush=True)
    finally:
        world.close(keep_logs=options.keep or bool(failed))
    return min(failed, 1)


def caddy(world: World, fleet: Fleet) -> int:
    front = Caddy(world.folder / "caddy", fleet.front)
    world.processes.append(front.process)
    return front.port


def deploy_under_load(world: World, fleet: Fleet, port: int, deploys: int, least: int, pace: float) -> list[Request]:
    traffic = Traffic([Browser(port, fleet.shop).send for _ in range(BROWSERS)], pace)
    time.sleep(PAUSE)
    for number in range(deploys):
        web = fleet.web[number // 2 % 2]
        begun, failed = time.monotonic(), sum(failures(traffic.requests).values())
        how = replace(web) if number % 2 else reload(web, world)
        wait_for(f"{web.name} is ready", lambda web=web: is_ready(fleet.ports[web.name]), READY_WITHIN)  # type: ignore[misc]
        failed = sum(failures(traffic.requests).values()) - failed
        world.say(
            f"{number + 1:3} of {deploys}: {web.name} {how} in {time.monotonic() - begun:.1f} s,"
            f" {len(traffic.requests):,} requests so far, {failed} failed meanwhile"
        )
        time.sleep(PAUSE)
    wait_for("enough requests", lambda: len(traffic.requests) >= least, 600)
    return traffic.stop()


def reload(web: Process, world: World) -> str:
    """Its workers are replaced; the port stays open."""
    old = set(web.children())
    send(web.pid, signal.SIGHUP)
    wait_for("the old workers end", lambda: not old & set(web.children()), READY_WITHIN)
    return "was reloaded"


def replace(web: Process) -> str:
    """As a container is: it ends, and another one takes its place."""
    web.process.terminate()
    web.process.wait(READY_WITHIN)
    web.start()
    return "was replaced"


def is_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def report(requests: Sequence[Request], tables: Tables, deploys: int) -> int:
    """Print the table; returns how many failed, or were answered and are not there."""
    found = failures(requests)
    committed = {order for (order,) in tables.all(COMMITTED)}
    lost = sum(1 for request in requests if request.order and request.order not in committed)
    print(f"\n{deploys} deploys\n\n| | requests | failed | p50 ms | p99 ms | slowest ms |\n|---|---|---|---|---|---|")
    for name, works in {"reads": ("list", "one"), "orders": ("order",), "all": ("list", "one", "order")}.items():
        mine = [request for request in requests if request.work in works]
        seconds = [request.seconds for request in mine]
        figures = (f"{percentile(seconds, share) * 1000:,.0f}" for share in (0.5, 0.99, 1))
        failed = sum(bool(request.problem) for request in mine)
        print(f"| {name} | {len(mine):,} | {failed} | {' | '.join(figures)} |")
    print(f"\nOrders that were answered and are not in the database: {lost}")
    for problem, count in found.most_common():
        print(f"{count} x {problem}")
    return sum(found.values()) + lost


if __name__ == "__main__":
    sys.exit(main())
