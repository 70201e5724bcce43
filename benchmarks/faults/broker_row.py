"""Redis is away for a while, and wiped once, while customers order."""

import json
import time

from benchmarks.faults.processes import wait_for
from benchmarks.faults.result import Result, percentile
from benchmarks.faults.shop import Client, Load, Shop
from benchmarks.faults.world import Tables, World

SLOWEST = 0.5  # seconds that 99 of 100 orders may take meanwhile


def broker(world: World) -> Result:
    orders, down, pace = (100, 5.0, 6.0) if world.quick else (1000, 30.0, 12.0)
    with world.row("broker") as (database, environment):
        tables = Tables(world, database)
        fill = ("-m", "benchmarks.faults.fill")
        customer = json.loads(world.run(environment, *fill, "customer"))
        products = json.loads(world.run(environment, *fill, "products", "5", str(10 * orders)))
        shop = Shop(customer["cookie"], customer["token"], products)
        port = world.web(environment)
        worker = world.worker(environment)
        world.relay(environment)
        warm(port, shop, 8)
        load = Load(
            lambda: Client(port, shop), lambda n: [{"productId": str(products[n % 5]), "quantity": 1}], orders, pace
        )
        length = orders / pace
        time.sleep(length * 0.15)
        world.say(f"Redis is killed, for {down:g} s")
        world.redis.process.kill()
        began = time.monotonic()
        time.sleep(down)
        world.redis.process.start()
        world.redis.wait()
        ended = time.monotonic()
        time.sleep(length * 0.2)
        worker.freeze()  # so that there is something to wipe
        time.sleep(2)
        waiting = world.redis.client().llen("backend")
        world.say(f"Redis is wiped, {waiting} messages in it")
        world.redis.client().flushall()
        worker.thaw()
        load.wait(120)
        return _count(world, tables, load, (began, ended), waiting)


def warm(port: int, shop: Shop, count: int) -> None:
    """Have each thread of the server connect and compile before anything is measured."""
    for number in range(count * 3):
        Client(port, shop).place(f"warm-{number}", [{"productId": str(shop.products[0]), "quantity": 1}])


def _count(world: World, tables: Tables, load: Load, down: tuple[float, float], wiped: int) -> Result:
    world.say("waiting until all is done")
    settled = tables.drain(600)
    time.sleep(1)
    refused = [answer for answer in load.answers if not answer.order]
    mailed = world.mail.orders()
    taken = [answer.order for answer in load.answers if answer.order]
    slow = percentile([answer.seconds for answer in load.answers], 0.99)
    while_down = load.during(*down)
    slow_down = percentile([answer.seconds for answer in while_down], 0.99)
    problems = [f"{len(refused)} orders refused: {refused[:3]}"] if refused else []
    problems += [f"p99 was {max(slow, slow_down):.2f} s"] if max(slow, slow_down) > SLOWEST else []
    problems += [] if settled >= 0 and not tables.failed() else ["the queue did not empty"]
    return Result(
        "broker",
        f"Redis down for {down[1] - down[0]:.0f} s and wiped once with {wiped} messages in it",
        f"{len(load.answers)} orders",
        sum(order not in mailed for order in taken),
        sum(count - 1 for count in mailed.values()),
        {
            "refused": len(refused),
            "p99 of placing (ms)": f"{slow * 1000:.0f}, while down {slow_down * 1000:.0f} ({len(while_down)} orders)",
            "settled after (s)": round(settled, 1),
        },
        problems,
    )


def wait_until_answered(port: int, shop: Shop) -> float:
    """Seconds until the site takes an order again."""
    client = Client(port, shop, timeout=5)
    line = [{"productId": str(shop.products[0]), "quantity": 1}]
    return wait_for("an order is taken", lambda: client.place(f"again-{time.monotonic()}", line).order, 60)
