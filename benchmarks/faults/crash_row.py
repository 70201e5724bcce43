"""A process ends at a chosen point of placing an order, or of publishing its tasks."""

import json

from benchmarks.faults.result import Result
from benchmarks.faults.world import Tables, World

PENDING = "SELECT count(*) FROM orders_order WHERE status = 'pending'"


def crashes(world: World) -> Result:
    tries = 26 if world.quick else 208
    with world.row("crashes") as (database, environment):
        tables = Tables(world, database)
        fill = ("-m", "benchmarks.faults.fill")
        customer = json.loads(world.run(environment, *fill, "customer"))
        world.run(environment, *fill, "products", "5", str(10 * tries))
        world.say("forking, and dying")
        made = json.loads(world.run(environment, "-m", "benchmarks.faults.crash", customer["id"], str(tries)))
        world.worker(environment)
        world.relay(environment)
        world.say("waiting until all is done")
        settled = tables.drain(300)
        mailed = world.mail.orders()
        orders = {
            key: (number, status) for number, key, status in tables.all("SELECT id, key, status FROM orders_order")
        }
        committed = [case["key"] for case in made if case["committed"]]
        unwritten = [case["key"] for case in made if not case["committed"]]
        known = {number for number, _ in orders.values()}
        lost = sum(key not in orders or orders[key][1] != "placed" or orders[key][0] not in mailed for key in committed)
        ghosts = sum(key in orders for key in unwritten) + sum(order not in known for order in mailed) + tables.failed()
        points = len({case["point"] for case in made})
        return Result(
            "crashes",
            "the process ends between two steps of placing an order and publishing its tasks",
            f"{len(made)} crashes at {points} points",
            lost,
            sum(count - 1 for count in mailed.values()),
            {"sent for orders that were rolled back": ghosts, "settled after (s)": round(settled, 1)},
            [f"{ghosts} ghosts"] if ghosts else [],
        )
