"""Benchmarks: `./run bench graphql` and `./run bench grpc`. See docs/performance.md."""

import argparse
import importlib
from pathlib import Path

from benchmarks import rounds

DATA = Path(__file__).resolve().parent.parent / "var" / "bench"
DATABASE = "postgres://postgres@127.0.0.1:5432/bench_{}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="./run bench", description=__doc__)
    parser.add_argument("door", choices=["graphql", "grpc"])
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure there")
    parser.add_argument("--quick", action="store_true", help="a look in a minute or two; its figures prove nothing")
    parser.add_argument("--only", action="append", default=[], metavar="WORK", help="this piece of work (repeatable)")
    parser.add_argument("--database", metavar="URL", help="a database for the benchmarks alone; it is made if missing")
    options = parser.parse_args()
    door = importlib.import_module(f"benchmarks.{options.door}_speed")
    plan = rounds.QUICK if options.quick else rounds.FULL
    results = door.run(options.database or DATABASE.format(options.door), plan, DATA, options.only)
    print(f"\n{door.report(results)}")
    if options.json:
        results.write(options.json)


if __name__ == "__main__":
    main()
