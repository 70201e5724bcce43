"""gthread worker whose threads never wait for a client, and whose main thread answers /health/live."""

import contextlib
import errno
import selectors
import socket
import time
from functools import partial
from typing import Any

from django.conf import settings
from gunicorn.errors import ConfigError
from gunicorn.http import get_parser
from gunicorn.workers.gthread import STOP_KEEPALIVE_LINGER, ThreadWorker

from framework import context
from framework.web.incoming import Client, Connection, Incoming, Refused

CHUNK = 64 * 1024  # bytes read from a socket at once
LARGE_TOTAL = 32 * 1024 * 1024  # bytes of large requests that a worker holds before a thread takes them
LINGER = 2.0  # seconds a refused client gets to read its answer
LIVE = b"GET /health/live "

_ALIVE = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 16\r\nConnection: close\r\n\r\n"
    b'{"status": "ok"}'
)
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Worker(ThreadWorker):
    """Reads requests in the main thread, and gives a thread only what has arrived completely.

    So unfinished requests, however many, cost memory and no thread. When there are more connections than
    `worker_connections`, or more than LARGE_TOTAL of large requests, the oldest unfinished one is given up.

    The main thread also answers LIVE, so that busy threads do not look like a dead process. At its end it serves the
    clients that have connected already: gunicorn's own would leave them in the listen queue without an answer.
    """

    @classmethod
    def check_config(cls, cfg: Any, log: Any) -> None:
        super().check_config(cfg, log)
        if cfg.is_ssl:
            raise ConfigError("This worker speaks plain HTTP: TLS belongs to the proxy in front of it.")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._arriving: dict[Connection, None] = {}  # in the order in which they began
        self._large: dict[Connection, int] = {}  # bytes of the large requests that no thread has taken yet

    def accept(self, listener: Any) -> None:
        try:
            sock, address = listener.accept()
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE):
                self._give_up_oldest()
            return
        self.nr_conns += 1
        if self.nr_conns >= self.worker_connections:
            self._give_up_oldest()
        client = Client(sock.family, sock.type, sock.proto, fileno=sock.detach())
        self.enqueue_req(Connection(self.cfg, client, address, listener.getsockname()))

    def enqueue_req(self, conn: Connection) -> None:
        """Begin to read a request; what has been read behind the one before it are its first bytes."""
        conn.sock.setblocking(False)
        conn.incoming = Incoming(settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
        self._arriving[conn] = None
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(self._read, conn))
        self._take(conn, conn.parser.unreader.take_buffered() if conn.parser else b"")
        if conn in self._arriving:
            self._read(conn)

    def _read(self, conn: Connection, _: Any = None) -> None:
        try:
            data = conn.sock.recv(CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._drop(conn)
        elif not conn.is_refused:
            self._take(conn, data)

    def _take(self, conn: Connection, data: bytes) -> None:
        try:
            conn.incoming.add(data)
            self._bound_memory(conn)
        except Refused as refused:
            self._refuse(conn, str(refused))
            return
        if conn.incoming.is_complete:
            self._dispatch(conn)
        elif conn.incoming.expects_continue:
            conn.incoming.expects_continue = False
            conn.send_at_once(_CONTINUE)

    def _bound_memory(self, conn: Connection) -> None:
        if not conn.incoming.is_large:
            return
        self._large[conn] = len(conn.incoming.data)
        if sum(self._large.values()) > LARGE_TOTAL:
            oldest = next((one for one in self._large if one in self._arriving), conn)
            if oldest is conn:
                raise Refused("503 Service Unavailable")
            self._refuse(oldest, "503 Service Unavailable")

    def _dispatch(self, conn: Connection) -> None:
        data = bytes(conn.incoming.data)
        if data.startswith(LIVE):
            conn.send_at_once(_ALIVE)
            self._drop(conn)
            return
        self._leave_poller(conn)
        # The parser gets these bytes and not the socket, so that nothing can make the thread wait for more.
        conn.initialized, conn.parser = True, get_parser(self.cfg, [data], conn.client)
        conn.queued_at = time.monotonic()
        super().enqueue_req(conn)

    def handle(self, conn: Connection) -> Any:
        self._large.pop(conn, None)
        context.arrive(time.monotonic() - conn.queued_at)
        return super().handle(conn)

    def murder_pending(self) -> None:
        """Give up the requests that have not arrived in time; gunicorn's main loop calls this each second."""
        now = time.monotonic()
        for conn in [conn for conn in self._arriving if conn.incoming.deadline < now]:
            if conn.is_refused or not conn.incoming.data:
                self._drop(conn)
            else:
                self._refuse(conn, "408 Request Timeout")

    def _refuse(self, conn: Connection, status: str) -> None:
        """Answer, and go on reading for a moment: closing at once could destroy the answer on its way."""
        self._large.pop(conn, None)
        conn.send_at_once(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        with contextlib.suppress(OSError):
            conn.sock.shutdown(socket.SHUT_WR)
        conn.is_refused = True
        conn.incoming = Incoming(0)
        conn.incoming.deadline = time.monotonic() + LINGER

    def _give_up_oldest(self) -> None:
        if self._arriving:
            self._drop(next(iter(self._arriving)))
        elif self.keepalived_conns:
            self.keepalived_conns[0].timeout = 0.0
            self.murder_keepalived()

    def _drop(self, conn: Connection) -> None:
        self._leave_poller(conn)
        self._large.pop(conn, None)
        self.nr_conns -= 1
        conn.close()

    def _leave_poller(self, conn: Connection) -> None:
        del self._arriving[conn]
        self.poller.unregister(conn.sock)

    def set_accept_enabled(self, enabled: bool) -> None:
        super().set_accept_enabled(enabled)
        if not enabled and not self.alive:
            for listener in self.sockets:
                self._take_all(listener)
                listener.close()
            for conn in self._arriving:
                if not conn.incoming.data:  # nobody waits long for a connection that may never be used
                    conn.incoming.deadline = time.monotonic() + STOP_KEEPALIVE_LINGER

    def _take_all(self, listener: Any) -> None:
        with selectors.DefaultSelector() as waiting:
            waiting.register(listener, selectors.EVENT_READ)
            while waiting.select(0):
                self.accept(listener)
