"""Customers in threads, each with a connection of its own: `python -m benchmarks.faults.customers NAME NUMBER ...`."""

import json
import random
import sys
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import django


def copies(customer: int, keys: int, each: int) -> dict[str, Any]:
    """Place `keys` orders, each of them `each` times at once."""
    from apps.orders import services
    from apps.orders.entities import Line
    from framework.actor import Actor

    wanted = [Line(product, 1) for product in _products()][:1]
    answers: list[set[Any]] = [set() for _ in range(keys)]
    errors: list[str] = []
    gate = threading.Barrier(each)

    def run(_: int) -> None:
        for number in range(keys):
            gate.wait()
            try:
                answers[number].add(services.place_order(Actor(user_id=customer), wanted, f"copy-{number}"))
            except Exception as error:
                errors.append(repr(error))

    _threads(run, each)
    return {"differing": sum(len(found) != 1 for found in answers), "errors": errors}


def last_items(customer: int, clients: int, attempts: int, seed: int) -> dict[str, Any]:
    """Order one or two of some products, in any order, and cancel most of what was had: so it stays scarce."""
    from apps.orders import services
    from apps.orders.entities import Line, OrderStatus
    from framework.actor import Actor
    from framework.errors import DomainError

    actor, products = Actor(user_id=customer), _products()
    errors: list[str] = []
    outcomes: Counter[str] = Counter()

    def run(client: int) -> None:
        luck = random.Random(seed * 1000 + client)
        for number in range(attempts // clients):
            some = luck.sample(products, luck.randint(1, 3))
            try:
                lines = [Line(product, luck.randint(1, 2)) for product in some]
                order = services.place_order(actor, lines, f"last-{seed}-{client}-{number}")
                outcomes[str(order.status)] += 1
                if order.status is OrderStatus.PLACED and luck.random() < 0.998:
                    services.cancel_order(actor, order.id, "changed my mind")
                    services.release_stock(order.id)
            except (DomainError, Exception) as error:
                errors.append(repr(error))

    _threads(run, clients)
    return {"outcomes": outcomes, "errors": errors}


def _products() -> list[int]:
    from apps.catalog.models import Product

    return list(Product.objects.order_by("id").values_list("pk", flat=True))


def _threads(run: Callable[[int], None], count: int) -> None:
    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    django.setup()
    name, *words = sys.argv[1:]
    print(json.dumps(globals()[name](*map(int, words))))
