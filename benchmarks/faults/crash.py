"""Place orders in forks that die at chosen points: `python -m benchmarks.faults.crash CUSTOMER TRIES`."""

import importlib
import itertools
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

import django

Patch = tuple[str, str, bool]  # module, the function at whose begin (or end) the process dies, and which of the two

# In the order in which they are passed; the order is in the database from the third on.
PLACING: tuple[Patch, ...] = (
    ("apps.orders.repository", "add_order", False),
    ("apps.orders.tasks", "complete_order.apply_async", True),
    ("apps.orders.services", "_complete_now", False),
    ("apps.catalog.public", "reserve", True),
    ("apps.catalog.public", "commit", True),
    ("apps.orders.repository", "close", True),
    ("apps.orders.tasks", "send_confirmation.delay", True),
    ("apps.orders.services", "_complete_now", True),
)
COMMITTED_FROM = 2
DIES_WITHIN = 30.0  # seconds that the thread which publishes has for it
PUBLISHING: tuple[Patch, ...] = (
    ("framework.queue.outbox", "claim_due", False),
    ("framework.queue.outbox", "claim_due", True),
    ("framework.queue.relay", "_publish", True),
    ("framework.queue.outbox", "mark_published", False),
    ("framework.queue.outbox", "mark_published", True),
)
AT_ONCE: tuple[Patch, ...] = (  # in the thread of the process that placed the order
    ("framework.queue.publisher", "send", False),
    ("framework.queue.publisher", "send", True),
    ("framework.queue.outbox", "mark_first_published", False),
    ("framework.queue.outbox", "mark_first_published", True),
)


def main(customer: int, tries: int) -> list[dict[str, Any]]:
    steps = {"place": PLACING, "publish": PUBLISHING, "publish at once": AT_ONCE}
    points = [(step, *patch) for step, patches in steps.items() for patch in patches]
    made = []
    for number, (step, module, name, after) in zip(range(tries), itertools.cycle(points), strict=False):
        key = f"crash-{number}"
        place = _place(customer, key, number)
        if step == "publish" and _in_fork(place):
            raise RuntimeError("an order without a crash failed")
        patch = (module, name, after)
        act = {"place": place, "publish": _publish, "publish at once": _published_at_once(place)}[step]
        status = _in_fork(_dying(act, patch))
        if status != signal.SIGKILL:
            raise RuntimeError(f"it did not die at {patch}: {status}")
        committed = step != "place" or PLACING.index(patch) >= COMMITTED_FROM
        made.append({"key": key, "point": f"{step} {module} {name} {after}", "committed": committed})
    return made


def _in_fork(act: Callable[[], object]) -> int:
    """The signal that ended it, or 0. The parent has no connections that a child could break."""
    child = os.fork()
    if child:
        status = os.waitpid(child, 0)[1]
        return os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
    try:
        act()
    except BaseException:
        import traceback

        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def _place(customer: int, key: str, number: int) -> Callable[[], object]:
    def place() -> None:
        from apps.catalog.models import Product
        from apps.orders import services
        from apps.orders.entities import Line
        from framework.actor import Actor

        products = list(Product.objects.order_by("id").values_list("pk", flat=True))
        lines = [Line(products[number % len(products)], 1)]
        services.place_order(Actor(user_id=customer), lines, key)

    return place


def _publish() -> None:
    from framework.queue import relay
    from project.celery import app

    relay.publish_due(app)


def _published_at_once(place: Callable[[], object]) -> Callable[[], object]:
    def act() -> None:
        from framework.queue import publisher

        publisher.enable()
        place()
        time.sleep(DIES_WITHIN)

    return act


def _dying(act: Callable[[], object], patch: Patch) -> Callable[[], object]:
    module, name, after = patch

    def run() -> None:
        *path, last = name.split(".")
        owner: Any = importlib.import_module(module)
        for part in path:
            owner = getattr(owner, part)
        whole = getattr(owner, last)

        def dies(*args: Any, **kwargs: Any) -> None:
            if after:
                whole(*args, **kwargs)
            os.kill(os.getpid(), signal.SIGKILL)

        setattr(owner, last, dies)
        act()

    return run


if __name__ == "__main__":
    django.setup()
    import apps.orders.services  # noqa: F401 - loaded before the forks

    print(json.dumps(main(*map(int, sys.argv[1:]))))
