"""`./run bench faults`: do harm, and count what is lost. See docs/reliability.md."""

import argparse
import importlib
import json
import random
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from benchmarks.faults.result import Result, line, table
from benchmarks.faults.world import World

ROWS = {
    "workers": "queue_rows:workers",
    "broker": "broker_row:broker",
    "crashes": "crash_row:crashes",
    "relays": "queue_rows:relays",
    "copies": "order_rows:copies",
    "last-items": "order_rows:last_items",
    "postgres": "database_row:postgres",
    "beats": "beat_row:beats",
    "catalog": "catalog_row:catalog",
    "poison": "queue_rows:poison",
    "speed": "queue_rows:speed",
    "one-web": "fleet_row:web",
    "one-web-worker": "fleet_row:web_worker",
    "one-grpc": "fleet_row:grpc",
    "one-worker": "fleet_row:worker",
    "one-relay": "fleet_row:relay",
    "one-beat": "fleet_row:beat",
    "peer-workers": "peers:workers",
    "peer-broker": "peers:broker",
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="./run bench faults", description=__doc__)
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"of: {', '.join(ROWS)}; all without")
    parser.add_argument("--quick", action="store_true", help="small sizes, and a queue ten times less patient")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="of what is killed when")
    parser.add_argument("--keep", action="store_true", help="keep the logs; they are kept anyway when a row fails")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure there")
    options = parser.parse_args()
    if unknown := set(options.rows) - set(ROWS):
        parser.error(f"no such row: {', '.join(sorted(unknown))}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is ended
    results = run(World(options.quick, options.seed), options.rows or list(ROWS), options.keep)
    print(f"\n{table(results)}")
    if options.json:
        options.json.write_text(json.dumps([result._asdict() for result in results], indent=2) + "\n")
    return 0 if all(result.passed for result in results if not result.row.startswith("peer-")) else 1


def run(world: World, names: list[str], keep: bool) -> list[Result]:
    print(f"seed {world.seed}, logs in {world.folder}", flush=True)
    results: list[Result] = []
    try:
        world.open()
        for name in names:
            started = time.monotonic()
            world.say(f"{name} begins")
            results.append(_found(world, name))
            print(f"{line(results[-1])}  [{time.monotonic() - started:.0f} s]", flush=True)
    finally:
        failed = [result for result in results if not result.passed and not result.row.startswith("peer-")]
        world.close(keep_logs=keep or bool(failed))
    return results


def _found(world: World, name: str) -> Result:
    try:
        return _row(name)(world)
    except Exception as error:  # the other rows are worth having
        traceback.print_exc()
        return Result(name, "the harness failed", "nothing", 0, 0, {}, [repr(error)])


def _row(name: str) -> Callable[[World], Result]:
    module, _, function = ROWS[name].partition(":")
    found: Callable[[World], Result] = getattr(importlib.import_module(f"benchmarks.faults.{module}"), function)
    return found


if __name__ == "__main__":
    try:
        code = main()
    except KeyboardInterrupt:
        code = 130
    sys.exit(code)
