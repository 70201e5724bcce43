"""Serve gRPC services to tests, over a port and through the whole chain of interceptors.

with serving(rpc.register, chain) as address: ...      # `host:port`; needs a transactional test
with connected(rpc.register, chain) as channel: ...    # one call at a time, in the test's own transaction
"""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import grpc
from django.db import connections

Register = Callable[[Any], object]


@contextmanager
def serving(
    register: Register, interceptor: grpc.ServerInterceptor, *, threads: int = 4, **options: Any
) -> Iterator[str]:
    """Serve on a free loopback port, and yield its `host:port`."""
    with _server(register, interceptor, threads, connections.close_all, options) as (address, _):
        yield address


@contextmanager
def serving_in_transaction(register: Register, interceptor: grpc.ServerInterceptor) -> Iterator[str]:
    """Serve one call at a time in the test's own transaction: all threads use the test's database connection.

    The test has to wait for each call before it asks the database itself.
    """
    shared = connections["default"]

    def share() -> None:
        connections["default"] = shared

    def unshare() -> None:
        del connections["default"]

    shared.inc_thread_sharing()
    try:
        with (
            patch.object(shared, "close_if_unusable_or_obsolete", lambda: None),
            _server(register, interceptor, 1, unshare, {}) as (address, pools),
        ):
            for pool in pools:
                _in_each_thread(pool, share)
            yield address
    finally:
        shared.dec_thread_sharing()


@contextmanager
def connected(register: Register, interceptor: grpc.ServerInterceptor) -> Iterator[grpc.Channel]:
    """A channel to a server that works in the test's own transaction, one call at a time."""
    with serving_in_transaction(register, interceptor) as address, grpc.insecure_channel(address) as channel:
        yield channel


@contextmanager
def _server(
    register: Register,
    interceptor: Any,
    threads: int,
    leave: Callable[[], None],
    options: dict[str, Any],
) -> Iterator[tuple[str, list[ThreadPoolExecutor]]]:
    """A server's address and its pools; `leave` is called in each of their threads in the end."""
    streams = getattr(interceptor, "stream_threads", None)
    pools = [ThreadPoolExecutor(threads), *([streams] if streams else [])]
    server = grpc.server(pools[0], interceptors=[interceptor], **options)
    register(server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}", pools
    finally:
        server.stop(0).wait()
        for pool in pools:
            _in_each_thread(pool, leave)
            pool.shutdown()


def _in_each_thread(pool: ThreadPoolExecutor, function: Callable[[], None]) -> None:
    threads = pool._max_workers
    together = threading.Barrier(threads)

    def run() -> None:
        together.wait(timeout=10)
        function()

    for done in [pool.submit(run) for _ in range(threads)]:
        done.result()
