"""`./run bench graphql`: the GraphQL door beside its peers and beside views written by hand."""

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import psycopg

from benchmarks import database, load, rounds, venvs
from benchmarks.rounds import Cell, Goal, Plan, Results
from benchmarks.servers import Server, free_port, on_core, running

STRAWBERRY = ("strawberry-graphql==0.341.2", "strawberry-graphql-django==0.93.0")

PRODUCT = "id sku name price currency stock"
LISTED = f"{PRODUCT} isActive createdAt"
ORDER = "id number placedAt lines { id quantity item { id sku name price owner { id name } } }"

SINGLE = f"query Product($id: ID!) {{ product(id: $id) {{ {PRODUCT} }} }}"
CONNECTION = f"query Products($first: Int!) {{ products(first: $first) {{ edges {{ node {{ {LISTED} }} }} }} }}"
PLAIN_LIST = f"query Products($first: Int!) {{ products(first: $first) {{ {LISTED} }} }}"
NESTED = f"query Orders($first: Int!) {{ recentOrders(first: $first) {{ {ORDER} }} }}"
LOADED = f"query Orders($first: Int!) {{ recentOrders: loadedOrders(first: $first) {{ {ORDER} }} }}"
MUTATION = """mutation Add($title: String!, $text: String!) {
  addNote(title: $title, text: $text) { note { id title text at } }
}"""

OURS, STOCK, LOADERS = "ours", "ours, stock executor", "ours, level by level"
GRAPHENE, PREFETCH, STRAWBERRY_DJANGO = "graphene-django", "graphene-django + prefetch", "strawberry-django"
HANDWRITTEN = "hand-written view"

WORKS = {
    "single": (HANDWRITTEN, OURS, STOCK, GRAPHENE, STRAWBERRY_DJANGO),
    "list": (HANDWRITTEN, OURS, STOCK, GRAPHENE, STRAWBERRY_DJANGO),
    "nested": (HANDWRITTEN, OURS, LOADERS, STOCK, GRAPHENE, PREFETCH, STRAWBERRY_DJANGO),
    "mutation": (HANDWRITTEN, OURS, STOCK, GRAPHENE, STRAWBERRY_DJANGO),
}
GOALS = (
    Goal("single", OURS, 0.95, (HANDWRITTEN,)),
    Goal("list", OURS, 0.85, (HANDWRITTEN,)),
    Goal("nested", OURS, 0.80, (HANDWRITTEN,)),
    Goal("mutation", OURS, 0.95, (HANDWRITTEN,)),
    Goal("list", OURS, 4, (GRAPHENE,)),
    Goal("list", OURS, 6, (STRAWBERRY_DJANGO,)),
    Goal("nested", OURS, 4, (PREFETCH, STRAWBERRY_DJANGO)),
)


class Variant(NamedTuple):
    """How a server is started, and the documents it is asked with."""

    environment: Mapping[str, str]
    documents: Mapping[str, str]
    python: str = sys.executable
    server: str = ""  # another variant, if this one asks its server


def variants(folder: Path) -> dict[str, Variant]:
    ours = {"single": SINGLE, "list": CONNECTION, "nested": NESTED, "mutation": MUTATION}
    peers = ours | {"list": PLAIN_LIST}
    strawberry = venvs.ready(folder / "strawberry", STRAWBERRY, without=("graphene-django", "graphql-core"))
    return {
        HANDWRITTEN: Variant(peer("handwritten"), {}),
        OURS: Variant({"GRAPHQL_EXECUTOR": "compiled"}, ours),
        LOADERS: Variant({}, {"nested": LOADED}, server=OURS),
        STOCK: Variant({"GRAPHQL_EXECUTOR": "stock"}, ours),
        GRAPHENE: Variant(peer("graphene_django"), peers),
        PREFETCH: Variant(peer("graphene_django") | {"BENCH_PREFETCH": "1"}, peers),
        STRAWBERRY_DJANGO: Variant(peer("strawberry_django"), peers, str(strawberry)),
    }


def peer(module: str) -> dict[str, str]:
    return {"BENCH_PEER": module, "BENCH_WSGI": "benchmarks.peers.wsgi"}


class Bench:
    """The servers of one run, and what they are asked."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.environment = common_environment(folder, url)
        self.variants = variants(folder)
        self.values = self.variables(url)
        self.servers: dict[str, Server] = {}
        self.requests = {
            (work, name): [self.message(name, work, values) for values in self.values[work]]
            for work, names in WORKS.items()
            for name in names
        }

    @staticmethod
    def variables(url: str) -> dict[str, list[dict[str, Any]]]:
        with psycopg.connect(url) as connection:
            rows = connection.execute(
                "SELECT id FROM catalog_product WHERE is_active ORDER BY sku LIMIT 500"
            ).fetchall()
        return {
            "single": [{"id": str(row[0])} for row in rows],
            "list": [{"first": 100}],
            "nested": [{"first": 20}],
            "mutation": [{"title": f"Note {number}", "text": "Remember the milk. " * 5} for number in range(100)],
        }

    def body(self, name: str, work: str, values: Mapping[str, Any]) -> tuple[str, bytes]:
        """The path and body of a request; the hand-written view gets no more than it needs."""
        if name == HANDWRITTEN:
            return f"/{work}", orjson.dumps(values)
        return "/graphql", orjson.dumps({"query": self.variants[name].documents[work], "variables": values})

    def message(self, name: str, work: str, values: Mapping[str, Any]) -> bytes:
        return load.request(*self.body(name, work, values))

    def environment_of(self, name: str, port: int = 0) -> dict[str, str]:
        return {**self.environment, **self.variants[name].environment, "PORT": str(port or 1)}

    def start(self) -> list[Server]:
        for name, variant in self.variants.items():
            if not variant.server:
                port = free_port()
                environment = self.environment_of(name, port)
                wsgi = environment["BENCH_WSGI"]
                command = [variant.python, "-m", "gunicorn", "-c", "python:project.gunicorn", wsgi]
                log = self.folder / f"{name.replace(' ', '-')}.log"
                self.servers[name] = Server(name, command, environment, port, log)
        return list(self.servers.values())

    def server(self, name: str) -> Server:
        return self.servers[self.variants[name].server or name]

    def check(self) -> None:
        """Every variant must answer the same. Raises SystemExit where one does not."""
        for work, names in WORKS.items():
            answers = {name: self.answer(work, name) for name in names}
            for name, answer in answers.items():
                if answer != answers[HANDWRITTEN]:
                    raise SystemExit(f"bench: {work}: {name} answers {answer}\nnot {answers[HANDWRITTEN]}"[:5000])

    def answer(self, work: str, name: str) -> Any:
        body = load.fetch(self.server(name).port, self.requests[work, name][0])
        data = orjson.loads(body)["data"]
        if work == "list" and "edges" in data["products"]:
            return [edge["node"] for edge in data["products"]["edges"]]
        if work == "mutation":
            note = data["addNote"]["note"]
            return {key: value for key, value in note.items() if key not in ("id", "at")}, sorted(note)
        return data["products"] if work == "list" else data

    def count_queries(self) -> dict[tuple[str, str], int]:
        found = {}
        for name, variant in self.variants.items():
            works = [work for work, names in WORKS.items() if name in names]
            asked = {work: self.body(name, work, self.values[work][0]) for work in works}
            probe = subprocess.run(
                [variant.python, "-m", "benchmarks.probe"],
                input=json.dumps({work: [path, body.decode()] for work, (path, body) in asked.items()}),
                env=self.environment_of(name),
                capture_output=True,
                text=True,
            )
            if probe.returncode:
                raise SystemExit(f"bench: {name} fails:\n{probe.stderr[-5000:]}")
            found |= {(work, name): count for work, count in json.loads(probe.stdout.splitlines()[-1]).items()}
        return found

    def measure(self, work: str, name: str, seconds: float) -> Cell:
        server = self.server(name)
        before = server.cpu()
        done = load.run(server.port, self.requests[work, name], seconds)
        return Cell.of(done.latencies, done.seconds, server.cpu() - before)


def common_environment(folder: Path, url: str) -> dict[str, str]:
    """The settings of every server: those of production, with one worker."""
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    return inherited | {
        "DJANGO_SETTINGS_MODULE": "project.settings",
        "BENCH_WSGI": "project.wsgi",
        "DEBUG": "0",
        "SECRET_KEY": secrets.token_urlsafe(60),
        "ALLOWED_HOSTS": "127.0.0.1",
        "SECURE_COOKIES": "0",
        "DATABASE_URL": url,
        "ALLOW_SQLITE": "1",  # starts without Redis, which none of the measured requests asks
        "DATABASE_POOL": "0",
        "DATA_DIR": str(folder),
        "DOMAINS": "catalog,benchmarks.shop",
        "HOST": "127.0.0.1",
        "GRAPHQL_RATE": "1000000000",  # all requests come from one address
        "WEB_WORKERS": "1",
        "WEB_THREADS": "4",
        "LOG_FORMAT": "json",
        "LOG_LEVEL": "INFO",
        "PYTHONUNBUFFERED": "1",
    }


def run(url: str, plan: Plan, folder: Path, works: Sequence[str] = ()) -> Results:
    """Measure everything (or the named works) and return the figures."""
    folder.mkdir(parents=True, exist_ok=True)
    version = database.prepare(url, common_environment(folder, url))
    bench = Bench(folder, url)
    chosen = {work: names for work, names in WORKS.items() if not works or work in works}
    results = Results(chosen, machine={"postgresql": version})
    print("counting queries", flush=True)
    results.queries |= bench.count_queries()
    print("starting the servers, comparing their answers", flush=True)
    with running(bench.start()):
        with on_core(1):
            bench.check()
        rounds.run(results, plan, bench.measure)
    return results


def report(results: Results) -> str:
    goals = [goal.judge(results) for goal in GOALS if goal.work in results.works and results.cells]
    return "\n\n".join([rounds.report(results, [HANDWRITTEN], OURS), "\n".join(goals)])
