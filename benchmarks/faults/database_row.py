"""PostgreSQL crashes, and hangs, while customers order."""

import http.client
import json
import time
from collections import Counter
from collections.abc import Callable
from uuid import uuid4

from benchmarks.faults.broker_row import warm
from benchmarks.faults.result import Result, percentile
from benchmarks.faults.shop import Client, Load, Shop
from benchmarks.faults.world import Tables, World

HEALTHY = 5.0  # seconds after PostgreSQL answers again
PROBE = (
    "INSERT INTO queue_queuedtask (task_id, task, args, kwargs, headers, queued_at, due_at, times_published, starts,"
    " retries, error) VALUES (%s, 'faults.work', jsonb_build_array(%s::int), '{}', '{\"queued\": true}', now(), now(),"
    " 0, 0, 0, '')"
)
TICKS = "SELECT count(*) FROM queue_queuedtask WHERE task = 'faults.tick'"


def postgres(world: World) -> Result:
    orders, pace, rounds, hang = (150, 5.0, 1, 5.0) if world.quick else (1500, 12.0, 3, 15.0)
    with world.row("postgres") as (database, environment):
        tables = Tables(world, database)
        fill = ("-m", "benchmarks.faults.fill")
        customer = json.loads(world.run(environment, *fill, "customer"))
        products = json.loads(world.run(environment, *fill, "products", "5", str(10 * orders)))
        world.run(environment, *fill, "ticks", "1000")
        shop = Shop(customer["cookie"], customer["token"], products)
        port = world.web(environment)
        for start in (world.worker, world.relay, world.beat):
            start(environment)
        warm(port, shop, 8)
        lines = [{"productId": str(products[0]), "quantity": 1}]
        load = Load(lambda: Client(port, shop, 30), lambda _: lines, orders, pace, again=True)
        times = []
        for number in range(rounds):
            time.sleep(5)
            times.append(_crash(world, tables, load, port, number))
            world.say(_text(times[-1]))
            time.sleep(5)
            times.append(_hang(world, tables, load, port, number, hang))
            world.say(_text(times[-1]))
        load.wait(orders / pace + 60)
        return _count(world, tables, load, times)


def _text(times: dict[str, float]) -> str:
    return ", ".join(f"{name} {seconds:.1f}" for name, seconds in times.items())


def _crash(world: World, tables: Tables, load: Load, port: int, number: int) -> dict[str, float]:
    world.say("PostgreSQL crashes")
    world.postgres.crash()
    time.sleep(1)
    world.postgres.restart()
    world.postgres.wait()
    return _recovery(tables, load, port, 1000 + number)


def _hang(world: World, tables: Tables, load: Load, port: int, number: int, seconds: float) -> dict[str, float]:
    world.say(f"PostgreSQL hangs, for {seconds:g} s")
    world.postgres.freeze()
    time.sleep(seconds)
    world.postgres.thaw()
    return _recovery(tables, load, port, 2000 + number)


def _recovery(tables: Tables, load: Load, port: int, number: int) -> dict[str, float]:
    """Seconds until each part works again."""
    began = time.monotonic()
    ticks = tables.one(TICKS)
    tables.write(PROBE, uuid4().hex, number)
    signs: dict[str, Callable[[], object]] = {
        "web": lambda: any(answer.order and answer.at + answer.seconds > began for answer in load.answers[-20:]),
        "readiness": lambda: _ready(port),
        "queue": lambda: tables.one("SELECT count(*) FROM faults_effect WHERE number = %s", number),
        "beat": lambda: tables.one(TICKS) != ticks,
    }
    found: dict[str, float] = {}
    while len(found) < len(signs) and time.monotonic() < began + 120:
        for name, sign in signs.items():
            if name not in found and sign():
                found[name] = time.monotonic() - began
        time.sleep(0.05)
    return {name: found.get(name, 120.0) for name in signs}


def _ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/health/ready")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def _count(world: World, tables: Tables, load: Load, times: list[dict[str, float]]) -> Result:
    world.say("waiting until all is done")
    tables.write("UPDATE django_celery_beat_periodictask SET enabled = false")
    settled = tables.drain(300)
    acknowledged = {answer.order for answer in load.answers if answer.order}
    rows = dict(tables.all("SELECT id, status FROM orders_order"))
    keys = Counter(key for (key,) in tables.all("SELECT key FROM orders_order"))
    mailed = world.mail.orders()
    lost = sum(order not in rows or rows[order] != "placed" or order not in mailed for order in acknowledged)
    worst = {name: max(found[name] for found in times) for name in times[0]}
    failed = Counter(answer.status for answer in load.answers if not answer.order)
    problems = [f"{name} took {seconds:.1f} s" for name, seconds in worst.items() if seconds > HEALTHY]
    problems += [] if settled >= 0 else ["the queue did not empty"]
    return Result(
        "postgres",
        "PostgreSQL crashes, and hangs, under load",
        f"{len(times)} times, {len(acknowledged)} orders acknowledged",
        lost,
        sum(count - 1 for count in keys.values()),
        {
            "works again after (s)": _text(worst),
            "refused meanwhile, then taken": ", ".join(f"{n} {code}" for code, n in failed.items()) or 0,
            "slowest answer (s)": round(percentile([answer.seconds for answer in load.answers], 1), 1),
            "mails that came twice": sum(count - 1 for count in mailed.values()),
            "failed": tables.failed(),
        },
        problems,
    )
