"""The catalog runs elsewhere, and is killed, hangs, is slow, or answers errors while customers order."""

import json
import random
import time
from collections import Counter
from collections.abc import Callable

from benchmarks.faults.processes import Process, free_port, listens, wait_for
from benchmarks.faults.proxy import Proxy
from benchmarks.faults.result import Result, percentile
from benchmarks.faults.shop import Client, Load, Shop
from benchmarks.faults.world import TEMPLATE, Tables, World

DEADLINE = 10.0  # seconds an answer may take, as GRAPHQL_TIMEOUT says
LINES = """
SELECT reservation.key, reservation.status, line.product_id, line.quantity FROM catalog_reservationline line
JOIN catalog_reservation reservation ON reservation.id = line.reservation_id
"""


class Shops:
    """The monolith without the catalog, the catalog on a database of its own, and what stands between them."""

    def __init__(self, world: World, orders: int, database: str, environment: dict[str, str]) -> None:
        self.world = world
        self.tables = Tables(world, database)
        world.postgres.create("faults_elsewhere", TEMPLATE)
        self.catalog_tables = Tables(world, "faults_elsewhere")
        fill = ("-m", "benchmarks.faults.fill")
        there = world.environment("faults_elsewhere")
        self.stock = orders // 4  # of each of five products, two of which an order takes: not enough for all
        products = json.loads(world.run(there, *fill, "products", "5", str(self.stock)))
        customer = json.loads(world.run(environment, *fill, "customer"))
        self.shop = Shop(customer["cookie"], customer["token"], products)
        self.port, broken = free_port(), free_port()
        self.catalog = world.start(
            "catalog", there | {"DOMAINS": "catalog", "GRPC_PORT": str(self.port)}, "manage.py", "grpcrunserver"
        )
        world.start("broken", there, "-m", "benchmarks.faults.broken", str(broken))
        self.broken = broken
        wait_for("the catalog", lambda: listens(self.port) and listens(broken), 60)
        self.proxy = Proxy(self.port)
        here = environment | {
            "DOMAINS": "orders,benchmarks.faults.probe",
            "CATALOG_URL": f"grpc://127.0.0.1:{self.proxy.port}",
        }
        self.web = world.web(here)
        world.worker(here)
        world.relay(here)

    def lines(self, number: int) -> list[dict[str, object]]:
        some = random.Random(number).sample(self.shop.products, 2)
        return [{"productId": str(product), "quantity": 1} for product in some]


def catalog(world: World) -> Result:
    orders, pace, wait = (160, 4.0, 5.0) if world.quick else (1000, 6.0, 30.0)
    with world.row("catalog") as (database, environment):
        shops = Shops(world, orders, database, environment)
        load = Load(lambda: Client(shops.web, shops.shop, 30), shops.lines, orders, pace, browsers=8, again=True)
        try:
            times = [_fault(world, load, *fault, wait) for fault in _faults(shops, shops.catalog)]
            load.wait(orders / pace + 300)
            return _count(world, shops, load, dict(times))
        finally:
            shops.proxy.stop()


def _faults(shops: Shops, process: Process) -> list[tuple[str, Callable[[], object], Callable[[], object]]]:
    def start() -> None:
        process.start()
        wait_for("the catalog", lambda: listens(shops.port), 60)

    back = lambda: shops.proxy.point(shops.port)  # noqa: E731
    return [
        ("killed", process.kill, start),
        ("hung", process.freeze, process.thaw),
        ("slow", lambda: shops.proxy.point(shops.port, 0.5), back),
        ("errors", lambda: shops.proxy.point(shops.broken), back),
    ]


def _fault(
    world: World, load: Load, name: str, begin: Callable[[], object], end: Callable[[], object], seconds: float
) -> tuple[str, tuple[float, float]]:
    time.sleep(3)
    world.say(f"the catalog: {name}")
    began = time.monotonic()
    begin()
    time.sleep(seconds)
    end()
    return name, (began, time.monotonic())


def _count(world: World, shops: Shops, load: Load, times: dict[str, tuple[float, float]]) -> Result:
    world.say("waiting until all is settled")
    pending = "SELECT count(*) FROM orders_order WHERE status = 'pending'"
    settled = wait_for("no order is pending", lambda: not shops.tables.one(pending), 600)
    settled += max(0.0, shops.tables.drain(600))
    orders = dict(shops.tables.all("SELECT id, status FROM orders_order"))
    problems = _accounts(shops, orders)
    keys = shops.tables.one("SELECT count(DISTINCT key) FROM orders_order")
    slow = {name: percentile([a.seconds for a in load.during(*span)], 1) for name, span in times.items()}
    problems += [f"an answer took {seconds:.1f} s while {name}" for name, seconds in slow.items() if seconds > DEADLINE]
    answers = {
        name: ", ".join(f"{count} {status}" for status, count in Counter(a.status for a in load.during(*span)).items())
        for name, span in times.items()
    }
    unclear = [a.status for a in load.answers if not a.order]
    problems += [f"{len(unclear)} answers were no order: {Counter(unclear)}"] if unclear else []
    acknowledged = {answer.order for answer in load.answers if answer.order}
    return Result(
        "catalog",
        "the catalog as a service of its own: killed, hung, slow, answering errors",
        f"{load.orders} orders",
        len(acknowledged - set(orders)) + load.orders - keys + shops.tables.failed(),
        len(orders) - keys,
        {"then": ", ".join(f"{n} {status}" for status, n in Counter(orders.values()).items())}
        | {f"while {name}": f"{answers[name]}, slowest {slow[name]:.1f} s" for name in times}
        | {"settled after (s)": round(settled, 1)},
        problems,
    )


def _accounts(shops: Shops, orders: dict[int, str]) -> list[str]:
    """What the two sides' books disagree about."""
    sold: dict[str, list[tuple[int, int]]] = {}
    held = 0
    for key, status, product, quantity in shops.catalog_tables.all(LINES):
        if status == "committed":
            sold.setdefault(key, []).append((product, quantity))
        held += quantity if status == "held" else 0
    lines = shops.tables.all("SELECT order_id, product_id, quantity FROM orders_orderline ORDER BY product_id")
    bought: dict[str, list[tuple[int, int]]] = {}
    for order, product, quantity in lines:
        if orders[order] == "placed":
            bought.setdefault(f"order-{order}", []).append((product, quantity))
    left = shops.catalog_tables.one("SELECT sum(stock) FROM catalog_product")
    least = shops.catalog_tables.one("SELECT min(stock) FROM catalog_product")
    total = left + held + sum(quantity for some in sold.values() for _, quantity in some)
    problems = [] if {key: sorted(some) for key, some in sold.items()} == bought else ["sold is not what was bought"]
    problems += [] if total == 5 * shops.stock and least >= 0 else [f"{total} items instead of {5 * shops.stock}"]
    return problems + ([f"{held} items are still held"] if held else [])
