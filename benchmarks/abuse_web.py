"""What others notice while one client attacks the web server: their p95, the server's memory, and that of Redis.

The server runs as in production, on a PostgreSQL and a Redis that are started for it, with no proxy in front. The
attack comes from another process, as fast as CONNECTIONS connections can.
"""

import hashlib
import http.client
import json
import random
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import abuse_stream
from benchmarks.faults.processes import Process
from benchmarks.faults.result import percentile
from benchmarks.faults.world import World

PRODUCTS = 200_000
SECONDS = 20.0  # of each attack, and of the quiet before it
CONNECTIONS = 8
SOCKETS = 500  # with unfinished requests
PAUSE = 0.02  # seconds between two requests of somebody else
GOAL = 2.0  # times the quiet p95
GROWTH = 60.0  # MiB that an attack may add to all processes of the server, or to Redis
ATTACKER, OTHERS = "198.51.100.7", "192.0.2.1"
PLAIN = {"query": "{ products(first: 5) { edges { node { id name price } } } }"}
CSRF = {"Cookie": f"backend-csrftoken={'a' * 32}", "X-CSRFToken": "a" * 32}  # made up, as anybody can
FIELDS = "id sku name description price currency stock isActive version createdAt updatedAt"

Codes = Counter[str]


class Attack(NamedTuple):
    name: str
    run: Callable[[int, float], Codes]  # with the port and for how many seconds; counts the answers
    allowed: frozenset[str]


class Seen(NamedTuple):
    """What others saw."""

    p95: float  # milliseconds
    failed: int


def persisted(port: int, seconds: float) -> Codes:
    """Documents that are valid, new and as long as can be, each to be kept under its hash."""

    def bodies() -> Iterator[Any]:
        for number in count():
            text = f"query Q{number}_{random.getrandbits(60)} {{ {_many(40)} }}"
            key = hashlib.sha256(text.encode()).hexdigest()
            yield {"query": text, "extensions": {"persistedQuery": {"version": 1, "sha256Hash": key}}}

    return _send(port, seconds, "/graphql", bodies)


def plans(port: int, seconds: float) -> Codes:
    """Documents of 4 kB, each often enough to be compiled, in combinations of @skip."""

    def bodies() -> Iterator[Any]:
        for number in count():
            text = f"query Q{number}($a: Boolean!, $b: Boolean!) {{ {_many(30)} ...F @skip(if: $a) }}"
            text += " fragment F on Query { csrfToken @include(if: $b) me { id } }"
            for flags in range(8):
                yield {"query": text, "variables": {"a": bool(flags & 1), "b": bool(flags & 2)}}

    return _send(port, seconds, "/graphql", bodies)


def working_set(port: int, seconds: float) -> Codes:
    """150 operations of 200 tokens, in turn: what an app of many pages asks for."""
    texts = [f"query Q{number} {{ {_many(8)} }}" for number in range(150)]
    return _send(port, seconds, "/graphql", lambda: ({"query": text} for _ in count() for text in texts))


def invalid(port: int, seconds: float) -> Codes:
    """Documents that take long to be found invalid."""
    fields = " ".join(f"a{number}: nothing{number}(x: 1)" for number in range(20))
    return _send(port, seconds, "/graphql", lambda: ({"query": f"query Q{n} {{ {fields} }}"} for n in count()))


def searches(port: int, seconds: float) -> Codes:
    """Many searches with a count in one request."""
    fields = " ".join(
        f'a{number}: products(search: "chair {number}") {{ totalCount edges {{ node {{ id }} }} }}'
        for number in range(20)
    )
    return _send(port, seconds, "/graphql", lambda: ({"query": f"{{ {fields} }}"} for _ in count()))


def log_ins(port: int, seconds: float) -> Codes:
    """Wrong passwords for many accounts, from many addresses."""

    def bodies() -> Iterator[Any]:
        for number in count():
            yield {"email": f"user{number}-{random.getrandbits(60)}@example.com", "password": "wrong-password"}

    return _send(port, seconds, "/accounts/browser/v1/auth/login", bodies, _any_address)


def aliased_log_ins(port: int, seconds: float) -> Codes:
    """Twenty log-ins in one request, which GraphQL had once."""
    fields = " ".join(f'a{n}: login(email: "a{n}@example.com", password: "wrong") {{ id }}' for n in range(20))
    return _send(port, seconds, "/graphql", lambda: ({"query": f"mutation {{ {fields} }}"} for _ in count()))


def unfinished(port: int, seconds: float) -> Codes:
    """Requests whose body does not come, each begun anew when the server gives it up."""
    head = b"POST /graphql HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{"
    end = time.monotonic() + seconds
    codes: Codes = Counter()
    while time.monotonic() < end:
        with ExitStack() as stack:
            for _ in range(SOCKETS):
                with suppress(OSError):
                    stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=2)).sendall(head)
                    codes["begun"] += 1
            time.sleep(min(9.0, max(0.0, end - time.monotonic())))
    return codes


ATTACKS = (
    Attack("persisted queries", persisted, frozenset({"OK", "TOO_MANY_REQUESTS"})),
    Attack("documents to compile", plans, frozenset({"OK", "TOO_MANY_REQUESTS"})),
    Attack("a working set of 150", working_set, frozenset({"OK", "TOO_MANY_REQUESTS"})),
    Attack("invalid documents", invalid, frozenset({"GRAPHQL_VALIDATION_FAILED", "TOO_MANY_REQUESTS"})),
    Attack("20 searches", searches, frozenset({"OK", "BAD_USER_INPUT", "DEADLINE_EXCEEDED", "TOO_MANY_REQUESTS"})),
    Attack("log-ins", log_ins, frozenset({"HTTP_400", "HTTP_429"})),
    Attack("aliased log-ins", aliased_log_ins, frozenset({"GRAPHQL_VALIDATION_FAILED", "TOO_MANY_REQUESTS"})),
    Attack("unfinished bodies", unfinished, frozenset({"begun"})),
)


def run(share: float = 1.0) -> list[str]:
    """Print a line for each attack; returns what was wrong."""
    world, complaints = World(quick=False, seed=0), []
    try:
        world.open()
        with world.row("abuse") as (database, environment):
            with world.postgres.connect(database) as connection:
                connection.execute(abuse_stream.fill(max(1_000, round(PRODUCTS * share))))
            port = world.web(environment | {"TRUSTED_PROXIES": "127.0.0.1"})
            for attack in ATTACKS:
                complaints += _attempt(world, port, attack, max(1.0, SECONDS * share))
    finally:
        world.close(keep_logs=False)
    return complaints


def observe(port: int, seconds: float) -> Seen:
    """Ask what a visitor asks, again and again."""
    connection, latencies, failed = http.client.HTTPConnection("127.0.0.1", port, timeout=30), [], 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        began = time.perf_counter()
        failed += _ask(connection, "/graphql", PLAIN, OTHERS) != "OK"
        latencies.append((time.perf_counter() - began) * 1000)
        time.sleep(PAUSE)
    return Seen(percentile(latencies, 0.95), failed)


def _attempt(world: World, port: int, attack: Attack, seconds: float) -> list[str]:
    server = world.processes[-1]
    quiet, before = observe(port, seconds), _memory(world, server)
    with ProcessPoolExecutor(1) as others:  # a process of its own, whose work does not slow this one down
        attacked = others.submit(attack.run, port, seconds)
        seen = observe(port, seconds)
        codes = attacked.result()
    grown = [after - was for after, was in zip(_memory(world, server), before, strict=True)]
    counted = ", ".join(f"{number} {code}" for code, number in codes.most_common())
    waited = f"p95 {quiet.p95:.1f} -> {seen.p95:.1f} ms ({seen.p95 / quiet.p95:.1f}x), {seen.failed} failed"
    memory = "memory {:+.0f} MiB, Redis {:+.0f} MiB".format(*grown)
    print(f"{attack.name:22} {waited}; {memory}; {counted}", flush=True)
    return [f"{attack.name}: {problem}" for problem in _problems(attack, codes, quiet, seen, grown)]


def _problems(attack: Attack, codes: Codes, quiet: Seen, seen: Seen, grown: list[float]) -> list[str]:
    found = [f"answered {code}" for code in sorted(codes.keys() - attack.allowed)]
    found += [f"others waited {seen.p95 / quiet.p95:.1f} times as long"] * (seen.p95 > GOAL * quiet.p95)
    found += [f"{seen.failed} requests of others failed"] * bool(seen.failed)
    return found + [f"grew by {size:.0f} MiB" for size in grown if size > GROWTH]


def _memory(world: World, server: Process) -> list[float]:
    """MiB of all processes of the server, and of Redis."""
    redis: Any = world.redis.client().info("memory")
    texts = [Path(f"/proc/{pid}/status").read_text() for pid in (server.pid, *server.children())]
    return [sum(int(text.partition("VmRSS:")[2].split()[0]) for text in texts) / 1024, redis["used_memory"] / 2**20]


def _send(
    port: int,
    seconds: float,
    path: str,
    bodies: Callable[[], Iterator[Any]],
    address: Callable[[], str] = lambda: ATTACKER,
) -> Codes:
    """Send the bodies from CONNECTIONS connections for so long; the codes of the answers."""
    end = time.monotonic() + seconds

    def attack(_: int) -> Codes:
        connection, codes = http.client.HTTPConnection("127.0.0.1", port, timeout=30), Counter[str]()
        for body in bodies():
            if time.monotonic() > end:
                break
            codes[_ask(connection, path, body, address())] += 1
        return codes

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        return sum(pool.map(attack, range(CONNECTIONS)), Counter())


def _ask(connection: http.client.HTTPConnection, path: str, body: Any, address: str) -> str:
    """The code of the answer: GraphQL's, or the status."""
    headers = {"Content-Type": "application/json", "X-Forwarded-For": address} | (CSRF if path != "/graphql" else {})
    try:
        connection.request("POST", path, json.dumps(body), headers)
        answer = connection.getresponse()
        text = answer.read()
    except (OSError, http.client.HTTPException) as error:
        connection.close()
        return type(error).__name__
    if path != "/graphql":
        return f"HTTP_{answer.status}"
    told = json.loads(text)
    return str(told["errors"][0]["extensions"]["code"]) if told.get("errors") else "OK"


def _any_address() -> str:
    return f"198.18.{random.randrange(256)}.{random.randrange(256)}"


def _many(number: int) -> str:
    """A list with so many fields."""
    names = FIELDS.split()
    fields = " ".join(f"{names[n % 2]} {names[n % 11]}" for n in range(number))
    return f"products(first: 1) {{ edges {{ node {{ {fields} }} }} }}"
