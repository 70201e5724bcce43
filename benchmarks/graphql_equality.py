"""Hold the executors against graphql-core on random documents: `python -m benchmarks.graphql_equality`.

Exits with 1 on the first difference, and prints the document and the seed that makes it again.
"""

import argparse
import sys
import time

from framework.graphql.tests.generated import cases, difference


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    started = time.monotonic()
    for number, case in enumerate(cases(options.seed, options.count), start=1):
        found = difference(case)
        if found:
            print(f"\nDifference: {found}")
            return 1
        if number % 500 == 0:
            print(f"\r{number} of {options.count}, {time.monotonic() - started:.0f} s", end="", flush=True)
    print(f"\n{options.count} documents, no difference")
    return 0


if __name__ == "__main__":
    sys.exit(main())
