"""`./run bench grpc`: the gRPC door beside its peers and beside bare grpcio."""

import importlib
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import psycopg

from apps.catalog.entities import Product
from benchmarks import database, grpc_load, rounds, venvs
from benchmarks.graphql_speed import common_environment
from benchmarks.peers.grpc_serve import LIST, STREAM
from benchmarks.rounds import Cell, Goal, Plan, Results
from benchmarks.servers import Server, free_port, on_core, running
from framework.seam.codec import codec
from protos.catalog.v1 import catalog_pb2

FRAMEWORKS = ("django-socio-grpc==0.25.0", "djangorestframework==3.18.3")
TOKEN = "for-the-benchmark-only"

OURS, ORM, PSYCOPG = "ours", "grpcio + ORM values", "grpcio + psycopg"
FRAMEWORK, SOCIO = "django-grpc-framework", "django-socio-grpc"

EVERYONE = (ORM, OURS, PSYCOPG, FRAMEWORK, SOCIO)
WORKS = {"get": EVERYONE, "list": EVERYONE, "stream": EVERYONE}
UNITS = {"get": "calls/s", "list": "calls/s", "stream": "products/s"}
GOALS = (
    Goal("get", OURS, 0.95, (ORM,)),
    Goal("get", OURS, 0.55, (PSYCOPG,)),
    Goal("list", OURS, 0.95, (ORM,)),
    Goal("list", OURS, 0.55, (PSYCOPG,)),
    Goal("get", OURS, 1.8, (FRAMEWORK,)),
    Goal("list", OURS, 6, (FRAMEWORK,)),
    Goal("get", OURS, 3, (SOCIO,)),
    Goal("list", OURS, 6, (SOCIO,)),
    Goal("stream", OURS, 5, (ORM, PSYCOPG, FRAMEWORK, SOCIO)),
)


class Contract(NamedTuple):
    """A method of each piece of work, the messages, and how products are read from them."""

    methods: Mapping[str, str]
    messages: Mapping[str, Any]  # the answers
    requests: Mapping[str, Any]  # without values
    products: Mapping[str, str]  # the field that holds the products; empty if the answer is one
    entity: Any

    def read(self, work: str, data: bytes) -> list[Product]:
        message = self.messages[work].FromString(data)
        name = self.products[work]
        value = getattr(message, name) if name else message
        return [self.entity(product) for product in (value if work != "get" and name else [value])]


def ours() -> Contract:
    pb: Any = catalog_pb2
    service = "/catalog.v1.CatalogService/"
    return Contract(
        {"get": f"{service}GetProduct", "list": f"{service}ListProducts", "stream": f"{service}StreamProducts"},
        {"get": pb.GetProductResponse, "list": pb.ListProductsResponse, "stream": pb.StreamProductsResponse},
        {
            "get": pb.GetProductRequest(),
            "list": pb.ListProductsRequest(page_size=LIST),
            "stream": pb.StreamProductsRequest(),
        },
        {"get": "product", "list": "products", "stream": "products"},
        codec(Product, pb.Product).entity,
    )


def flat(folder: Path) -> Contract:
    """The contract of the frameworks' serializers; its code is generated into the folder."""
    source = Path(__file__).parent / "peers"
    outputs = [f"--python_out={folder}", f"--grpc_python_out={folder}"]
    command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{source}", *outputs, "products.proto"]
    subprocess.run(command, check=True)
    sys.path.append(str(folder))
    pb: Any = importlib.import_module("products_pb2")
    service = "/bench.ProductController/"
    return Contract(
        {"get": f"{service}Retrieve", "list": f"{service}List", "stream": f"{service}Stream"},
        {"get": pb.Product, "list": pb.ProductListResponse, "stream": pb.Product},
        {"get": pb.ProductRetrieveRequest(), "list": pb.ProductListRequest(), "stream": pb.ProductStreamRequest()},
        {"get": "", "list": "results", "stream": ""},
        flat_entity,
    )


def flat_entity(message: Any) -> Product:
    values = {name: getattr(message, name) for name in Product._fields}
    values["price"] = Decimal(message.price)
    moments = {name: datetime.fromisoformat(values[name]) for name in ("created_at", "updated_at")}
    return Product(**values | moments)


class Bench:
    """The servers of one run, and what they are asked."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        generated = folder / "protos"
        generated.mkdir(exist_ok=True)
        frameworks = flat(generated)
        self.contracts = {name: frameworks if name in (FRAMEWORK, SOCIO) else ours() for name in EVERYONE}
        self.metadata = {OURS: [("authorization", f"Bearer {TOKEN}")]}
        self.environment = common_environment(folder, url) | {
            "GRPC_TOKENS": f"bench:{TOKEN}",
            "GRPC_THREADS": "4",
            "VALKEY_PORT": str(free_port()),
            "PYTHONPATH": str(generated),
        }
        with psycopg.connect(url) as connection:
            sold = "SELECT id FROM catalog_product WHERE is_active ORDER BY sku LIMIT 500"
            self.ids = [row[0] for row in connection.execute(sold)]
        self.requests = {(work, name): self.messages(work, name) for work, names in WORKS.items() for name in names}
        self.servers: dict[str, Server] = {}

    def messages(self, work: str, name: str) -> list[bytes]:
        request = self.contracts[name].requests[work]
        if work != "get":
            return [request.SerializeToString()]
        field = request.DESCRIPTOR.fields[0].name
        return [type(request)(**{field: product_id}).SerializeToString() for product_id in self.ids]

    def start(self) -> list[Server]:
        python = str(venvs.ready(self.folder / "socio", FRAMEWORKS))
        commands = {
            OURS: [sys.executable, "manage.py", "grpcrunserver"],
            ORM: [sys.executable, "-m", "benchmarks.peers.grpc_orm"],
            PSYCOPG: [sys.executable, "-m", "benchmarks.peers.grpc_psycopg"],
            FRAMEWORK: [python, "-m", "benchmarks.peers.grpc_framework"],
            SOCIO: [python, "-m", "benchmarks.peers.grpc_socio"],
        }
        for name, command in commands.items():
            self.servers[name] = self.server(name, command, free_port())
        # Our server looks once a second whether the broker is there, so it gets one.
        port = int(self.environment["VALKEY_PORT"])
        broker = self.server("valkey", [sys.executable, "manage.py", "valkey"], port, core=1)
        return [*self.servers.values(), broker]

    def server(self, name: str, command: Sequence[str], port: int, core: int = 0) -> Server:
        environment = self.environment | {"PORT": str(port), "GRPC_PORT": str(port)}
        return Server(name, command, environment, port, self.folder / f"grpc-{name.replace(' ', '-')}.log", core)

    def check(self) -> None:
        """Every server must answer the same. Raises SystemExit where one does not."""
        for work in WORKS:
            answers = {name: self.answer(work, name) for name in EVERYONE}
            for name, answer in answers.items():
                if answer != answers[ORM]:
                    raise SystemExit(f"bench: {work}: {name} answers {answer[:3]}\nnot {answers[ORM][:3]}")

    def answer(self, work: str, name: str) -> list[Product]:
        contract, request = self.contracts[name], self.requests[work, name][0]
        target = (self.servers[name].port, contract.methods[work], request, self.metadata.get(name, ()))
        if work != "stream":
            return contract.read(work, grpc_load.fetch(*target))
        _, messages = grpc_load.stream(*target, lambda data: len(contract.read(work, data)), STREAM)
        return [product for data in messages for product in contract.read(work, data)][:STREAM]

    def measure(self, work: str, name: str, seconds: float) -> Cell:
        server, method = self.servers[name], self.contracts[name].methods[work]
        before = server.cpu()
        if work == "stream":
            return self.measure_stream(name, server, method, seconds, before)
        done = grpc_load.run(server.port, method, self.requests[work, name], self.metadata.get(name, ()), seconds)
        return Cell.of(done.latencies, done.seconds, server.cpu() - before)

    def measure_stream(self, name: str, server: Server, method: str, seconds: float, before: float) -> Cell:
        """Streams of 10,000 products, one after another; figures are by product, latencies by stream."""
        request = self.requests["stream", name][0]
        # Not parsed: a message of ours has a chunk of 500, theirs have one product.
        size = 500 if name == OURS else 1
        rows, taken = 0, list[float]()
        started = time.perf_counter()
        while not taken or time.perf_counter() - started < seconds:
            begun = time.perf_counter()
            metadata = self.metadata.get(name, ())
            rows += grpc_load.stream(server.port, method, request, metadata, lambda _: size, STREAM)[0]
            taken.append((time.perf_counter() - begun) * 1000)
        elapsed = time.perf_counter() - started
        used = server.cpu() - before
        return Cell(rows / elapsed, used * 1000 / rows, sorted(taken)[len(taken) // 2], max(taken))


def run(url: str, plan: Plan, folder: Path, works: Sequence[str] = ()) -> Results:
    """Measure everything (or the named works) and return the figures."""
    folder.mkdir(parents=True, exist_ok=True)
    version = database.prepare(url, common_environment(folder, url))
    bench = Bench(folder, url)
    chosen = {work: names for work, names in WORKS.items() if not works or work in works}
    results = Results(
        chosen, {"get": "calls/s", "list": "calls/s", "stream": "products/s"}, machine={"postgresql": version}
    )
    print("starting the servers, comparing their answers", flush=True)
    with running(bench.start()):
        with on_core(1):
            bench.check()
        rounds.run(results, plan, bench.measure)
    return results


def report(results: Results) -> str:
    goals = [goal.judge(results) for goal in GOALS if goal.work in results.works and results.cells]
    return "\n\n".join([rounds.report(results, [ORM, PSYCOPG], OURS), "\n".join(goals)])
