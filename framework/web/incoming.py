"""One HTTP request while it arrives, and the connection it arrives on.

gunicorn parses the request later, and more strictly; only its end is looked for here.
"""

import contextlib
import errno
import re
import socket
import time
from collections.abc import Iterator
from typing import Any

from gunicorn.workers.gthread import TConn

HEAD_LIMIT = 64 * 1024  # bytes of the request line and the headers
LARGE = 64 * 1024  # bytes from which on a request counts as large
SECONDS = 10.0  # from a request's first moment to its last byte
SECONDS_PER_MIB = 10.0  # more for a body, by its declared length
SEND_TIMEOUT = 35.0  # seconds a client may take to read a response: as long as the proxy waits for one

_END = b"\r\n\r\n"
_LENGTH = re.compile(rb"^content-length:[ \t]*(\d{1,12})[ \t]*\r$", re.IGNORECASE | re.MULTILINE)
_CHUNKED = re.compile(rb"^transfer-encoding[ \t]*:", re.IGNORECASE | re.MULTILINE)
_EXPECT = re.compile(rb"^expect:[ \t]*100-continue", re.IGNORECASE | re.MULTILINE)


class Refused(Exception):
    """The request is answered without being read to its end. The text is the status line's."""


class Incoming:
    """The bytes of a request so far."""

    __slots__ = ("_body_limit", "_searched", "data", "deadline", "expects_continue", "size")

    def __init__(self, body_limit: int) -> None:
        """A body may have `body_limit` bytes."""
        self._body_limit = body_limit
        self._searched = 0
        self.data = bytearray()
        self.deadline = time.monotonic() + SECONDS
        self.expects_continue = False
        self.size = 0  # bytes of the whole request; 0 while its headers are incomplete

    def add(self, data: bytes) -> None:
        """Take over what has arrived.

        Raises Refused (411, 413 or 431) as soon as it is certain that the request cannot be accepted.
        """
        self.data += data
        if not self.size:
            self._look_for_end_of_head()

    @property
    def is_complete(self) -> bool:
        """Whether the whole request is there; the beginning of the next one may follow it."""
        return 0 < self.size <= len(self.data)

    @property
    def is_large(self) -> bool:
        return self.size > LARGE

    def _look_for_end_of_head(self) -> None:
        end = self.data.find(_END, self._searched)
        if (end if end >= 0 else len(self.data)) > HEAD_LIMIT:
            raise Refused("431 Request Header Fields Too Large")
        if end >= 0:
            self._read_head(bytes(self.data[: end + len(_END)]))
        self._searched = max(0, len(self.data) - len(_END) + 1)

    def _read_head(self, head: bytes) -> None:
        if _CHUNKED.search(head):  # Django reads such a body as an empty one
            raise Refused("411 Length Required")
        found = _LENGTH.search(head)
        body = int(found[1]) if found else 0
        if body > self._body_limit:
            raise Refused("413 Content Too Large")
        self.size = len(head) + body
        self.deadline += body / 1024**2 * SECONDS_PER_MIB
        self.expects_continue = not self.is_complete and _EXPECT.search(head) is not None


class Client(socket.socket):
    """A client's socket: a thread waits for SEND_TIMEOUT at most until it has read the response."""

    def setblocking(self, flag: bool) -> None:
        self.settimeout(SEND_TIMEOUT if flag else 0.0)

    def sendall(self, data: Any, flags: int = 0) -> None:
        with _a_slow_client_is_gone():
            super().sendall(data, flags)

    def sendfile(self, file: Any, offset: int = 0, count: int | None = None) -> int:
        with _a_slow_client_is_gone():
            return super().sendfile(file, offset, count)


@contextlib.contextmanager
def _a_slow_client_is_gone() -> Iterator[None]:
    try:
        yield
    except TimeoutError:  # gunicorn logs this one as an error of ours
        raise BrokenPipeError(errno.EPIPE, "The client did not read the response in time.") from None


class Connection(TConn):
    """A client's connection and the request that arrives on it."""

    incoming: Incoming
    queued_at: float
    is_refused = False

    def send_at_once(self, data: bytes) -> None:
        """Send a short answer, if the socket takes it without waiting."""
        with contextlib.suppress(OSError):
            self.sock.send(data)

    def close(self, graceful: bool = False) -> None:
        """Close without gunicorn's wait for the client, which would hold up the main thread."""
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_WR)
        self.sock.close()
