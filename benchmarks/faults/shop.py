"""Customers, products, and orders over HTTP as the single-page app places them."""

import http.client
import json
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple

PLACE = (
    "mutation($key: String!, $lines: [OrderLineInput!]!)"
    " { placeOrder(key: $key, lines: $lines) { order { id status } } }"
)


class Shop(NamedTuple):
    cookie: str
    token: str
    products: list[int]


class Answer(NamedTuple):
    key: str
    at: float  # when it was sent, on the clock of time.monotonic()
    seconds: float
    order: int  # 0 without
    status: str  # of the order, or the error's code


class Client:
    """One browser: keeps its connection, and connects anew after an error."""

    def __init__(self, port: int, shop: Shop, timeout: float = 60) -> None:
        self.port, self.shop, self.timeout = port, shop, timeout
        self.connection: http.client.HTTPConnection | None = None

    def place(self, key: str, lines: list[dict[str, Any]]) -> Answer:
        sent = time.monotonic()
        try:
            order, status = _read(self._post({"query": PLACE, "variables": {"key": key, "lines": lines}}))
        except (OSError, http.client.HTTPException) as error:
            self.connection = None
            order, status = 0, type(error).__name__
        return Answer(key, sent, time.monotonic() - sent, order, status)

    def _post(self, body: dict[str, Any]) -> tuple[int, bytes]:
        if self.connection is None:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=self.timeout)
        headers = {"Content-Type": "application/json", "Cookie": self.shop.cookie, "X-CSRFToken": self.shop.token}
        self.connection.request("POST", "/graphql", json.dumps(body), headers)
        answer = self.connection.getresponse()
        return answer.status, answer.read()


def _read(answer: tuple[int, bytes]) -> tuple[int, str]:
    status, text = answer
    try:
        body = json.loads(text)
    except ValueError:
        return 0, f"HTTP {status}"
    if body.get("errors"):
        return 0, str(body["errors"][0].get("extensions", {}).get("code", f"HTTP {status}"))
    order = body["data"]["placeOrder"]["order"]
    return int(order["id"]), str(order["status"]).lower()


class Load:
    """Orders from several browsers at a steady pace, in threads, until there are enough."""

    def __init__(
        self,
        client: Callable[[], Client],
        lines: Callable[[int], list[dict[str, Any]]],
        orders: int,
        pace: float,  # orders a second
        browsers: int = 8,
        again: bool = False,  # an order that was refused is sent again, under its key
    ) -> None:
        self.lines, self.orders, self.pace, self.again = lines, orders, pace, again
        self.answers: list[Answer] = []
        self.next = 0
        self.stopped = False
        self.lock = threading.Lock()
        self.begun = time.monotonic()
        self.threads = [threading.Thread(target=self._run, args=(client(),), daemon=True) for _ in range(browsers)]
        for thread in self.threads:
            thread.start()

    def _run(self, client: Client) -> None:
        while (number := self._take()) is not None:
            time.sleep(max(0.0, self.begun + number / self.pace - time.monotonic()))
            answer = client.place(f"key-{number}", self.lines(number))
            self.answers.append(answer)
            while self.again and not answer.order and not self.stopped:
                time.sleep(0.5)
                answer = client.place(f"key-{number}", self.lines(number))
                self.answers.append(answer)

    def _take(self) -> int | None:
        with self.lock:
            if self.stopped or self.next >= self.orders:
                return None
            self.next += 1
            return self.next - 1

    def running(self) -> bool:
        return any(thread.is_alive() for thread in self.threads)

    def wait(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        for thread in self.threads:
            thread.join(max(0.0, end - time.monotonic()))
        self.stopped = True

    def during(self, start: float, end: float) -> list[Answer]:
        return [answer for answer in list(self.answers) if start <= answer.at <= end]
