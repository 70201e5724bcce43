"""Enqueue tasks, each in a transaction: `python -m benchmarks.queue.send bare|ours COUNT PER_SECOND`.

Prints, as JSON, when each transaction had ended; then waits until all have begun, as a web server would live on.
"""

import json
import os
import sys
import time
from pathlib import Path

from benchmarks.faults.probe import stamps
from benchmarks.faults.processes import wait_for


def main(peer: str, count: int, per_second: int) -> list[float]:
    begun, committed = time.time(), []
    for number in range(count):
        if per_second:
            time.sleep(max(0.0, begun + number / per_second - time.time()))
        SEND[peer](number)
        committed.append(time.time())
    path = Path(os.environ["STAMPS"])
    wait_for("all tasks have begun", lambda: len(stamps.read(path)) >= count, 120)
    return committed


def bare(number: int) -> None:
    from benchmarks.queue.bare import work

    work.delay(number)


def ours(number: int) -> None:
    from django.db import transaction

    from benchmarks.faults.probe import tasks

    with transaction.atomic():
        tasks.stamp.delay(number)


SEND = {"bare": bare, "ours": ours}

if __name__ == "__main__":
    if sys.argv[1] == "ours":
        import django

        django.setup()
        import project.celery  # noqa: F401
        from framework.queue import publisher

        publisher.enable()
    print(json.dumps(main(sys.argv[1], *map(int, sys.argv[2:]))))
