"""Serve gRPC services to tests, over a port and through the whole chain of interceptors.

with serving(rpc.register, chain) as address: ...      # `host:port`; needs a transactional test
with connected(rpc.register, chain) as channel: ...    # one call at a time, in the test's own transaction
"""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import grpc
from django.db import connection, connections
from django_grpc_framework.signals import grpc_request_finished, grpc_request_started

Register = Callable[[Any], object]


@contextmanager
def serving(
    register: Register, interceptor: grpc.ServerInterceptor, *, threads: int = 4, **options: Any
) -> Iterator[str]:
    """Serve on a free loopback port, and yield its `host:port`."""
    pool = ThreadPoolExecutor(threads)
    server = grpc.server(pool, interceptors=[interceptor], **options)
    register(server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(0).wait()
        for each in (pool, getattr(interceptor, "stream_threads", None)):
            if each is not None:
                _close_connections(each)
                each.shutdown()


@contextmanager
def connected(register: Register, interceptor: grpc.ServerInterceptor) -> Iterator[grpc.Channel]:
    """A channel to a server that works in the test's own transaction, one call at a time."""
    with (
        shared_connection(),
        serving(register, interceptor, threads=1) as address,
        grpc.insecure_channel(address) as channel,
    ):
        yield channel


@contextmanager
def shared_connection() -> Iterator[None]:
    """Have the server's threads use the test's connection, and leave it open; the test waits for each call."""
    shared = connections["default"]

    def enter(**_: Any) -> None:
        connections["default"] = shared

    def leave(**_: Any) -> None:
        del connections["default"]

    grpc_request_started.connect(enter)
    grpc_request_finished.connect(leave)
    shared.inc_thread_sharing()
    try:
        with patch.object(connection, "close_if_unusable_or_obsolete", lambda: None):
            yield
    finally:
        shared.dec_thread_sharing()
        grpc_request_started.disconnect(enter)
        grpc_request_finished.disconnect(leave)


def _close_connections(pool: ThreadPoolExecutor) -> None:
    """Close the connection of every thread, so that the test database can be dropped."""
    threads = pool._max_workers
    together = threading.Barrier(threads)

    def close() -> None:
        together.wait(timeout=10)
        connections.close_all()

    wait([pool.submit(close) for _ in range(threads)])
