"""What the gRPC peers share."""

import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc

THREADS = 4  # as ours
LIST, STREAM = 100, 10_000  # products of an answer


def serve(add_to_server: Callable[[Any, grpc.Server], None], servicer: Any) -> None:
    """Serve on PORT until SIGTERM."""
    server = grpc.server(ThreadPoolExecutor(THREADS))
    add_to_server(servicer, server)
    server.add_insecure_port(f"127.0.0.1:{os.environ['PORT']}")
    server.start()
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    stopped.wait()
    server.stop(1).wait()
