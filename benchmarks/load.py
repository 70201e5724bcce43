"""A load generator for HTTP: so many connections, each sends its next request when the answer is there."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from itertools import cycle
from typing import NamedTuple

CONCURRENCY = 8


class Load(NamedTuple):
    """What a stretch of load gave: seconds it took, and the latency of each request in milliseconds."""

    seconds: float
    latencies: list[float]


class Failed(Exception):
    """A server gave another answer than it should."""


def request(path: str, body: bytes) -> bytes:
    """The bytes of a POST of JSON, as a browser's fetch sends them, without cookies."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: application/json\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def run(port: int, requests: Sequence[bytes], seconds: float, concurrency: int = CONCURRENCY) -> Load:
    """Send the requests in turn for so long. Raises Failed for an answer that is not 200 or has errors."""
    return asyncio.run(_run(port, requests, seconds, concurrency))


def fetch(port: int, message: bytes) -> bytes:
    """One request; the body of its answer."""
    answers: list[bytes] = []

    async def once() -> None:
        await _connect(port, iter([message]), answers, [])

    asyncio.run(once())
    return answers[0]


async def _run(port: int, requests: Sequence[bytes], seconds: float, concurrency: int) -> Load:
    latencies: list[float] = []
    started = time.perf_counter()
    last_moment = started + seconds
    waiting = cycle(requests)

    def until() -> Iterator[bytes]:
        while time.perf_counter() < last_moment:
            yield next(waiting)

    await asyncio.gather(*(_connect(port, until(), None, latencies) for _ in range(concurrency)))
    return Load(time.perf_counter() - started, latencies)


async def _connect(port: int, messages: Iterator[bytes], answers: list[bytes] | None, latencies: list[float]) -> None:
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()
    transport, _ = await loop.create_connection(lambda: _Client(messages, answers, latencies, done), "127.0.0.1", port)
    try:
        await done
    finally:
        transport.close()


class _Client(asyncio.Protocol):
    """One connection that is kept alive. The answers must have a Content-Length."""

    def __init__(
        self,
        messages: Iterator[bytes],
        answers: list[bytes] | None,
        latencies: list[float],
        done: "asyncio.Future[None]",
    ) -> None:
        self.messages = messages
        self.answers = answers
        self.latencies = latencies
        self.done = done
        self.received = b""
        self.sent = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.send()

    def send(self) -> None:
        message = next(self.messages, None)
        if message is None:
            if not self.done.done():
                self.done.set_result(None)
            return
        self.sent = time.perf_counter()
        self.transport.write(message)

    def data_received(self, data: bytes) -> None:
        self.received += data
        head, separator, body = self.received.partition(b"\r\n\r\n")
        if not separator:
            return
        length = _length(head)
        if length is not None and len(body) < length:
            return
        self.latencies.append((time.perf_counter() - self.sent) * 1000)
        self.received = b""
        if length is None or not head.startswith(b"HTTP/1.1 200") or b'"errors"' in body:
            self.fail(Failed((head + separator + body)[:2000].decode(errors="replace")))
            return
        if self.answers is not None:
            self.answers.append(body)
        self.send()

    def connection_lost(self, exc: Exception | None) -> None:
        self.fail(exc or Failed("The server closed the connection."))

    def fail(self, error: Exception) -> None:
        if not self.done.done():
            self.done.set_exception(error)


def _length(head: bytes) -> int | None:
    for line in head.split(b"\r\n"):
        if line[:15].lower() == b"content-length:":
            return int(line[15:])
    return None
