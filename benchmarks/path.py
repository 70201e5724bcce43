"""`python -m benchmarks.path`: the files of the machinery that a warm request passes.

One product by its id, asked for over GraphQL (Django's test client, all middleware) and over gRPC (a server on a
loopback port), in this process, with demo data in a database of its own. After a few requests that fill the caches,
one more is made while every Python function that is called is noted. Counted are the files of framework/ and project/.
"""

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from framework.testing import plugin  # noqa: F401 - development mode, a temporary DATA_DIR, and a Valkey

ROOT = Path(__file__).resolve().parent.parent
MACHINERY = ("framework/", "project/")
WARM = 5  # requests before the one that counts
PRODUCTS = "{ products(first: 1) { edges { node { id name } } } }"
PRODUCT = "query Product($id: ID!) { product(id: $id) { id name } }"


class Recorder:
    """Notes the files whose functions are called, in this thread and those that are started later, while it is on."""

    def __init__(self) -> None:
        self.files: dict[str, None] | None = None  # in their order
        threading.setprofile(self._note)
        sys.setprofile(self._note)

    def _note(self, frame: FrameType, event: str, _: Any) -> None:
        if self.files is not None and event == "call":
            self.files[frame.f_code.co_filename] = None

    def passed(self, request: Callable[[], object]) -> list[str]:
        """The files of the machinery that the request passes, in the order in which it enters them."""
        self.files = {}
        request()
        files, self.files = self.files, None
        names = [name.removeprefix(f"{ROOT}/") for name in files]
        return [name for name in names if name.startswith(MACHINERY)]


@contextmanager
def graphql_query() -> Iterator[Callable[[], object]]:
    from django.test import Client

    client = Client(headers={"host": "localhost"})

    def ask(query: str, **variables: object) -> Any:
        body = {"query": query, "variables": variables}
        return client.post("/graphql", body, content_type="application/json").json()["data"]

    node = ask(PRODUCTS)["products"]["edges"][0]["node"]
    yield lambda: ask(PRODUCT, id=node["id"])["product"]["name"]


@contextmanager
def grpc_call() -> Iterator[Callable[[], object]]:
    import grpc
    from django.conf import settings

    from framework.grpc import server, service
    from framework.testing.grpc import serving
    from protos.catalog.v1 import catalog_pb2 as pb
    from protos.catalog.v1.catalog_pb2_grpc import CatalogServiceStub

    settings.GRPC_TOKENS = "benchmark:0123456789abcdef"
    headers = (("authorization", "Bearer 0123456789abcdef"),)
    with serving(service.register, server.chain(), threads=1) as address:
        stub = CatalogServiceStub(grpc.insecure_channel(address))
        (product,) = stub.ListProducts(pb.ListProductsRequest(page_size=1), metadata=headers).products
        yield lambda: stub.GetProduct(pb.GetProductRequest(product_id=product.id), metadata=headers).product.name


def main(recorder: Recorder) -> None:
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)
    call_command("seed")
    for title, prepare in (("GraphQL query", graphql_query), ("gRPC call", grpc_call)):
        with prepare() as request:
            names = [request() for _ in range(WARM)]
            files = recorder.passed(request)
        print(f"\n{title} of {names[-1]!r}: {len(files)} files", *files, sep="\n  ")


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
    main(Recorder())
