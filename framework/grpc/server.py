"""The gRPC server: built from the settings, drained when it is told to stop."""

import contextlib
import os
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import structlog
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from framework.data import database
from framework.grpc import auth, scopes
from framework.grpc.interceptors import Chain
from framework.grpc.probes import MOST_PROBES, Probes
from framework.grpc.service import add_services
from framework.grpc.tokens import parse_tokens
from framework.observe import health as stores
from framework.signals import stop_on_signals

READINESS_EVERY = 1.0  # seconds
NOTICE = 0.5  # seconds between saying that the server will stop and stopping; calls on the wire get in meanwhile
LAST_WAIT = 2.0  # seconds for threads to notice that their call was cancelled

log = structlog.get_logger("grpc")


class AddressInUse(ImproperlyConfigured):
    """Another process listens where this server should."""


class Server:
    """One process's gRPC server."""

    def __init__(self, address: str, *, share_port: bool = False) -> None:
        """Bind to `address` (host:port), together with other processes if `share_port`.

        Raises AddressInUse, and ImproperlyConfigured when the domains' services cannot be served.
        """
        self._pool = ThreadPoolExecutor(settings.GRPC_THREADS, thread_name_prefix="grpc")
        self._chain = chain()
        self._probes = Probes(max(1, min(MOST_PROBES, settings.GRPC_MAX_CALLS // 2)))
        self._server = grpc.server(
            self._pool,
            interceptors=[self._chain, self._probes],
            options=_options(share_port),
            maximum_concurrent_rpcs=settings.GRPC_MAX_CALLS,
        )
        self._chain.log_refusals(self._server, settings.GRPC_MAX_CALLS)
        self._health = health.HealthServicer(experimental_non_blocking=False)
        self._services = add_services(self._server)
        scopes.check(parse_tokens(settings.GRPC_TOKENS), self._services)
        self._stopping = threading.Event()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        if settings.GRPC_REFLECTION:
            names = (*self._services, health.SERVICE_NAME, reflection.SERVICE_NAME)
            reflection.enable_server_reflection(names, self._server)
        self.port = self._bind(address)

    def start(self) -> None:
        """Begin to serve; health says NOT_SERVING until the stores have answered."""
        self._set_health(health_pb2.HealthCheckResponse.NOT_SERVING)
        self._server.start()
        threading.Thread(target=self._watch_readiness, name="grpc-readiness", daemon=True).start()

    def stop(self, *, notice: float = 0) -> bool:
        """Drain: health turns to NOT_SERVING, and `notice` seconds later no new call is taken.

        Calls in flight get GRPC_GRACE seconds, then the rest is cancelled.
        Returns whether all of them have ended.
        """
        self._stopping.set()
        self._health.enter_graceful_shutdown()
        time.sleep(notice)
        self._server.stop(settings.GRPC_GRACE).wait()
        # A call that was cancelled just now has its thread for a moment more; one that never looks would keep it.
        last = threading.Thread(target=self._wait_for_threads, daemon=True)
        last.start()
        last.join(LAST_WAIT)
        return not last.is_alive()

    def _wait_for_threads(self) -> None:
        for pool in (self._pool, self._chain.stream_threads, self._probes.threads):
            if pool is not None:
                pool.shutdown()

    def _bind(self, address: str) -> int:
        try:
            if not settings.GRPC_TLS_CERT:
                return self._server.add_insecure_port(address)
            return self._server.add_secure_port(address, _credentials())
        except RuntimeError:
            raise _refusal(address) from None

    def _watch_readiness(self) -> None:
        while True:
            problems = stores.check().problems
            answer = health_pb2.HealthCheckResponse
            self._set_health(answer.NOT_SERVING if problems else answer.SERVING)
            if self._stopping.wait(READINESS_EVERY):
                return

    def _set_health(self, status: int) -> None:
        for name in ("", *self._services):
            self._health.set(name, status)


def chain() -> Chain:
    """The interceptor that the settings ask for."""
    return Chain(auth.from_settings(), settings.GRPC_DEFAULT_DEADLINE, streams=settings.GRPC_STREAMS)


def serve(address: str, *, share_port: bool = False, stop: threading.Event | None = None) -> None:
    """Serve until `stop` is set; without one, until SIGTERM or SIGINT.

    Raises what Server raises.
    """
    stopped = stop or stop_on_signals()
    database.use_pool("grpc")
    from framework.queue import publisher  # it needs the models

    publisher.enable()
    server = Server(address, share_port=share_port)
    server.start()
    log.info("gRPC server started", address=address, tls=bool(settings.GRPC_TLS_CERT), pid=os.getpid())
    stopped.wait()
    if not server.stop(notice=NOTICE):
        log.error("calls did not end within the grace time", grace=settings.GRPC_GRACE, pid=os.getpid())
        os._exit(1)  # the interpreter's own end would wait for them
    log.info("gRPC server stopped", pid=os.getpid())


@contextlib.contextmanager
def hold_port(address: str) -> Iterator[None]:
    """Keep the port for processes that share it, once it is certain that nobody else has it.

    Raises AddressInUse.
    """
    host, _, port = address.rpartition(":")
    family = socket.AF_INET6 if host.startswith("[") else socket.AF_INET
    where = (host.strip("[]"), int(port))
    with socket.socket(family) as alone, socket.socket(family) as shared:
        try:
            alone.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            alone.bind(where)
            alone.close()
            shared.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            shared.bind(where)
        except OSError:
            raise _refusal(address) from None
        yield


def _refusal(address: str) -> AddressInUse:
    host, _, port = address.rpartition(":")
    return AddressInUse(
        f"Cannot listen on port {port} of {host}: another process has it, or the address is not this machine's."
        " Stop that process, or set GRPC_PORT."
    )


def _options(share_port: bool) -> list[tuple[str, int]]:
    return [
        ("grpc.so_reuseport", int(share_port)),
        ("grpc.max_receive_message_length", settings.GRPC_MAX_MESSAGE),
        # Dead peers are found within 40 s; clients may look for dead servers every 10 s.
        ("grpc.keepalive_time_ms", 30_000),
        ("grpc.keepalive_timeout_ms", 10_000),
        ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
        ("grpc.keepalive_permit_without_calls", 1),
        # Connections end now and then, so that clients look at the DNS again and find new servers.
        ("grpc.max_connection_idle_ms", 300_000),
        ("grpc.max_connection_age_ms", 1_800_000),
        ("grpc.max_connection_age_grace_ms", 300_000),
    ]


def _credentials() -> grpc.ServerCredentials:
    files = (settings.GRPC_TLS_KEY, settings.GRPC_TLS_CERT, settings.GRPC_TLS_CLIENT_CA)
    key, certificate, authority = (Path(path).read_bytes() if path else b"" for path in files)
    return grpc.ssl_server_credentials(
        [(key, certificate)],
        root_certificates=authority or None,
        require_client_auth=bool(authority),
    )
