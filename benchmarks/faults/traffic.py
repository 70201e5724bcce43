"""Browsers that read and order, and services that call, at a steady pace; and what became of each request."""

import http.client
import itertools
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import grpc

from benchmarks.faults.shop import PLACE, Shop
from framework.errors import DomainError
from framework.grpc.channel import Channel
from protos.catalog.v1 import catalog_pb2 as pb
from protos.catalog.v1.catalog_pb2_grpc import CatalogServiceStub

LIST = "{ products(first: 10) { edges { node { id sku name price stock } } } }"
ONE = "query ($id: ID!) { product(id: $id) { id sku name price } }"
TIMEOUT = 30.0  # seconds
WORKS = ("list", "one", "list", "one", "order")  # what browsers do in turn


class Request(NamedTuple):
    work: str
    at: float  # when it was sent, on the clock of time.monotonic()
    seconds: float
    problem: str  # empty when it was answered as it should be
    order: int = 0


class Browser:
    """Keeps its connection, and connects anew after an error. Sends nothing twice."""

    def __init__(self, port: int, shop: Shop, works: Sequence[str] = WORKS) -> None:
        self.shop, self.works = shop, works
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
        self.headers = {"Content-Type": "application/json"}

    def send(self, number: int) -> Request:
        work, product = self.works[number % len(self.works)], str(self.shop.products[number % len(self.shop.products)])
        headers = self.headers
        if work == "order":
            lines = [{"productId": product, "quantity": 1}]
            body: dict[str, Any] = {"query": PLACE, "variables": {"key": f"key-{number}", "lines": lines}}
            headers = headers | {"Cookie": self.shop.cookie, "X-CSRFToken": self.shop.token}
        else:
            body = {"query": LIST} if work == "list" else {"query": ONE, "variables": {"id": product}}
        sent = time.monotonic()
        try:
            self.connection.request("POST", "/graphql", json.dumps(body), headers)
            answer = self.connection.getresponse()
            problem, order = _judge(answer.status, answer.read())
        except (OSError, http.client.HTTPException) as error:
            self.connection.close()
            problem, order = type(error).__name__, 0
        return Request(work, sent, time.monotonic() - sent, problem, order)


def _judge(status: int, text: bytes) -> tuple[str, int]:
    if status != 200:
        return f"HTTP {status}", 0
    body = json.loads(text)
    if body.get("errors"):
        return str(body["errors"][0]["extensions"]["code"]), 0
    order = body["data"].get("placeOrder", {}).get("order", {})
    return "", int(order.get("id", 0))


class Service:
    """Calls as one domain calls another: through the project's own channel."""

    def __init__(self, port: int, token: str, shop: Shop) -> None:
        self.products = shop.products
        self.stub = CatalogServiceStub(Channel(f"grpc://127.0.0.1:{port}", pb.DESCRIPTOR, token=token))

    def send(self, number: int) -> Request:
        sent = time.monotonic()
        try:
            self.stub.BatchGetProducts(pb.BatchGetProductsRequest(product_ids=self.products[:3]), timeout=TIMEOUT)
            problem = ""
        except DomainError as error:
            problem = error.code
        except grpc.RpcError as error:
            problem = str(error.code().name)
        return Request("call", sent, time.monotonic() - sent, problem)


Sender = Callable[[int], Request]


class Traffic:
    """Requests at a steady pace, from as many threads as there are senders, until it is told to stop."""

    def __init__(self, senders: Sequence[Sender], pace: float) -> None:
        """`pace` is in requests a second, of all senders together."""
        self.pace = pace
        self.requests: list[Request] = []
        self.numbers: Iterator[int] = itertools.count()
        self.stopped = threading.Event()
        self.begun = time.monotonic()
        self.threads = [threading.Thread(target=self._run, args=(send,), daemon=True) for send in senders]
        for thread in self.threads:
            thread.start()

    def _run(self, send: Sender) -> None:
        while not self.stopped.is_set():
            number = next(self.numbers)
            if self.stopped.wait(max(0.0, self.begun + number / self.pace - time.monotonic())):
                return
            self.requests.append(send(number))

    def stop(self) -> list[Request]:
        """All requests, once each in flight has its answer."""
        self.stopped.set()
        for thread in self.threads:
            thread.join(TIMEOUT)
        return self.requests


def failures(requests: Sequence[Request]) -> Counter[str]:
    """How many failed, by what was asked and what came instead."""
    return Counter(f"{request.work}: {request.problem}" for request in requests if request.problem)
