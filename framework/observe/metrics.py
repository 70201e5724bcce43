"""What is counted, for Prometheus. Imported only where METRICS_PORT is set: see framework/observe/exporter.py.

All label values are of sets that no caller can make grow: routes, served methods, tasks, codes, and of the names that
clients give their operations, those that are really used.
"""

import time
from collections import Counter

from django.db import connections
from prometheus_client import Counter as Count
from prometheus_client import Gauge, Histogram

from framework import context

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
TASK_SECONDS = (0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 120, 300)
COSTS = (1, 5, 10, 50, 100, 500, 1000, 5000, 10000)
POOL_EVERY = 1.0  # seconds between two looks at the pool

WEB_REQUESTS = Count("web_requests", "Requests for pages, by route.", ("route", "code"))
WEB_SECONDS = Histogram("web_request_seconds", "Time to answer them.", ("route",), buckets=SECONDS)
GRAPHQL_REQUESTS = Count("graphql_requests", "GraphQL requests; code: of the first error.", ("operation", "code"))
GRAPHQL_SECONDS = Histogram("graphql_request_seconds", "Time to answer them.", ("operation",), buckets=SECONDS)
GRAPHQL_COST = Histogram("graphql_cost", "What the operations cost, in the units of the limit.", buckets=COSTS)
GRPC_CALLS = Count("grpc_calls", "Calls that were served.", ("method", "code"))
GRPC_SECONDS = Histogram("grpc_call_seconds", "Time they took, streaming included.", ("method",), buckets=SECONDS)
TASKS = Count("tasks", "Tries of tasks; code: OK, or why the try failed.", ("task", "code"))
TASK_TIME = Histogram("task_seconds", "Time they took.", ("task",), buckets=TASK_SECONDS)
QUERIES = Count("sql_queries", "Queries, by the kind of work that asked them.", ("transport",))
QUERY_SECONDS = Count("sql_seconds", "Time that work waited for the database.", ("transport",))
POOL = Gauge("database_pool_connections", "Connections of the pools.", ("state",), multiprocess_mode="livesum")
POOL_WAITING = Gauge("database_pool_waiting", "Threads that wait for a connection.", multiprocess_mode="livesum")


class Names:
    """The names that clients give their operations are theirs to choose: only those often asked become a label."""

    OTHER = "(other)"

    def __init__(self, *, most: int = 100, after: int = 20, candidates: int = 1000) -> None:
        self._most = most
        self._after = after
        self._candidates = candidates
        self._known: set[str] = set()
        self._seen: Counter[str] = Counter()

    def label(self, name: str) -> str:
        if name in self._known or name.startswith("("):
            return name
        if len(self._known) >= self._most:
            return self.OTHER
        self._seen[name] += 1
        if self._seen[name] >= self._after:
            del self._seen[name]
            self._known.add(name)
        elif len(self._seen) > self._candidates:
            self._seen.clear()
        return self.OTHER


names = Names()


def observe() -> None:
    """Count what this process does from now on."""
    if count not in context.listeners:
        context.listeners.append(count)


def count(unit: context.UnitOfWork, seconds: float) -> None:
    """A unit of work has ended: a listener of `framework.context`."""
    transport, code = unit.transport, str(unit.code)
    name = names.label(unit.name) if transport == "graphql" else unit.name
    requests, took = _BY_TRANSPORT[transport]
    requests.labels(name, code).inc()
    took.labels(name).observe(seconds)
    if unit.cost is not None:
        GRAPHQL_COST.observe(unit.cost)
    if unit.queries:
        QUERIES.labels(transport).inc(unit.queries)
        QUERY_SECONDS.labels(transport).inc(unit.sql_seconds)
    _look_at_pool()


_BY_TRANSPORT: dict[str, tuple[Count, Histogram]] = {
    "web": (WEB_REQUESTS, WEB_SECONDS),
    "graphql": (GRAPHQL_REQUESTS, GRAPHQL_SECONDS),
    "grpc": (GRPC_CALLS, GRPC_SECONDS),
    "task": (TASKS, TASK_TIME),
}
_next_look = 0.0


def _look_at_pool() -> None:
    global _next_look
    now = time.monotonic()
    if now < _next_look:
        return
    _next_look = now + POOL_EVERY
    pools = [pool.get_stats() for one in connections.all() if (pool := getattr(one, "pool", None)) is not None]
    if pools:
        idle = sum(stats["pool_available"] for stats in pools)
        POOL.labels("idle").set(idle)
        POOL.labels("used").set(sum(stats["pool_size"] for stats in pools) - idle)
        POOL_WAITING.set(sum(stats["requests_waiting"] for stats in pools))
