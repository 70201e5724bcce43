"""Many customers at once: copies of one order, and the last items."""

import json
import subprocess
import sys
import time

from benchmarks.faults.result import Result
from benchmarks.faults.world import Tables, World


def copies(world: World) -> Result:
    keys, each = (10, 20) if world.quick else (100, 50)
    with world.row("copies") as (database, environment):
        tables = Tables(world, database)
        fill = ("-m", "benchmarks.faults.fill")
        customer = json.loads(world.run(environment, *fill, "customer"))
        world.run(environment, *fill, "products", "3", str(10 * keys))
        words = ("copies", customer["id"], str(keys), str(each))
        found = json.loads(world.run(environment, "-m", "benchmarks.faults.customers", *words))
        orders = tables.one("SELECT count(*) FROM orders_order")
        sold = tables.one("SELECT coalesce(sum(quantity), 0) FROM catalog_reservationline")
        problems = [f"{found['differing']} keys with differing answers"] if found["differing"] else []
        problems += [f"errors: {found['errors']}"] if found["errors"] else []
        problems += [f"{sold} items sold instead of {keys}"] if sold != keys else []
        return Result(
            "copies",
            f"{each} copies of one order at once",
            f"{keys} keys, {keys * each} calls",
            keys - min(keys, orders),
            max(0, orders - keys),
            {"differing answers": found["differing"], "errors": len(found["errors"]), "items sold": sold},
            problems,
        )


def last_items(world: World) -> Result:
    clients, attempts = (16, 500) if world.quick else (64, 10_000)
    processes = 4
    with world.row("last_items") as (database, environment):
        tables = Tables(world, database)
        fill = ("-m", "benchmarks.faults.fill")
        customer = json.loads(world.run(environment, *fill, "customer"))
        world.run(environment, *fill, "products", "3", "5")
        words = [customer["id"], str(clients // processes), str(attempts // processes)]
        command = [sys.executable, "-m", "benchmarks.faults.customers", "last_items", *words]
        team = [
            subprocess.Popen([*command, str(number)], env=environment, stdout=subprocess.PIPE, text=True)
            for number in range(processes)
        ]
        try:
            looks, wrong = _watch(tables, team)
            found = [json.loads(member.communicate()[0]) for member in team]
        finally:
            for member in team:
                member.kill()
        errors = [error for part in found for error in part["errors"]]
        outcomes = {name: sum(part["outcomes"].get(name, 0) for part in found) for name in ("placed", "rejected")}
        problems = [f"errors: {errors[:3]}"] if errors else []
        problems += [f"{wrong} looks at another sum, or at stock below 0"] if wrong else []
        return Result(
            "last-items",
            f"{clients} customers order and cancel the last 5 of 3 products",
            f"{sum(outcomes.values())} attempts",
            0,
            wrong,
            outcomes | {"errors shown": len(errors), "looks at the sum": looks},
            problems,
        )


SUM = """
SELECT min(stock), sum(stock) + (
    SELECT coalesce(sum(quantity), 0) FROM catalog_reservationline line
    JOIN catalog_reservation reservation ON reservation.id = line.reservation_id
    WHERE reservation.status IN ('held', 'committed'))
FROM catalog_product
"""


def _watch(tables: Tables, team: list["subprocess.Popen[str]"]) -> tuple[int, int]:
    """How often it looked while they run, and how often stock + reserved + sold was not what there was."""
    looks = wrong = 0
    while any(member.poll() is None for member in team):
        least, total = tables.all(SUM)[0]
        looks, wrong = looks + 1, wrong + (least < 0 or total != 15)
        time.sleep(0.01)
    return looks, wrong
