"""A load generator for gRPC: bytes out, bytes in, so that it costs little itself."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from itertools import cycle
from typing import Any

import grpc

from benchmarks.load import CONCURRENCY, Load

Metadata = Sequence[tuple[str, str]]
OPTIONS = [("grpc.use_local_subchannel_pool", 1)]  # a connection of its own for each channel
PATIENCE = 60.0  # seconds a call may take


def run(port: int, method: str, requests: Sequence[bytes], metadata: Metadata, seconds: float) -> Load:
    """Call the unary method with the requests in turn for so long, on 8 connections at once."""
    return asyncio.run(_run(port, method, requests, metadata, seconds))


def fetch(port: int, method: str, request: bytes, metadata: Metadata) -> bytes:
    """The answer of one unary call."""

    async def once() -> bytes:
        async with _channel(port) as channel:
            answer: bytes = await channel.unary_unary(method)(request, metadata=metadata, timeout=PATIENCE)
            return answer

    return asyncio.run(once())


def stream(
    port: int, method: str, request: bytes, metadata: Metadata, count: Callable[[bytes], int], most: int
) -> tuple[int, list[bytes]]:
    """Read one stream until it ends or `most` rows came, of which a message has `count`: the rows, the messages."""

    async def read() -> tuple[int, list[bytes]]:
        rows, messages = 0, []
        async with _channel(port) as channel:
            call = channel.unary_stream(method)(request, metadata=metadata, timeout=PATIENCE)
            async for message in call:
                messages.append(message)
                rows += count(message)
                if rows >= most:
                    call.cancel()
                    break
        return rows, messages

    return asyncio.run(read())


async def _run(port: int, method: str, requests: Sequence[bytes], metadata: Metadata, seconds: float) -> Load:
    latencies: list[float] = []
    waiting = cycle(requests)
    started = time.perf_counter()
    last_moment = started + seconds

    async def client() -> None:
        async with _channel(port) as channel:
            call = channel.unary_unary(method)
            for request in _until(last_moment, waiting):
                sent = time.perf_counter()
                await call(request, metadata=metadata, timeout=PATIENCE)
                latencies.append((time.perf_counter() - sent) * 1000)

    await asyncio.gather(*(client() for _ in range(CONCURRENCY)))
    return Load(time.perf_counter() - started, latencies)


def _until(last_moment: float, requests: Iterator[bytes]) -> Iterator[bytes]:
    while time.perf_counter() < last_moment:
        yield next(requests)


@asynccontextmanager
async def _channel(port: int) -> AsyncIterator[Any]:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=OPTIONS) as channel:
        await channel.channel_ready()
        yield channel
