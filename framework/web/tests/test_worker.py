"""The web server against clients that send slowly, never, or too much."""

import contextlib
import http.client
import os
import socket
import subprocess
import sys
import time

import pytest

from framework.testing.servers import free_port, wait_for_port
from framework.web.incoming import HEAD_LIMIT, Incoming, Refused

POST = b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n"
UNFINISHED = {
    "nothing": b"",
    "head": b"POST /echo HTTP/1.1\r\nHost: loc",
    "body": POST + b"h",
    "chunks": b"POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe",
}

# One process with one thread, so that a single request which holds the thread would stop everything.
APP = """
import time
from pathlib import Path

RELEASED = Path(__file__).with_name("released")

def application(environ, start_response):
    path = environ["PATH_INFO"]
    while path == "/hold" and not RELEASED.exists():
        time.sleep(0.01)
    if path == "/large":
        start_response("200 OK", [])
        return [b"x" * 50_000_000]
    body = environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
"""


SLOW = """
from framework.web import incoming
from framework.web.worker import Worker

incoming.SEND_TIMEOUT = 0.5
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("server")


@pytest.fixture(scope="module")
def server(folder):
    """Its port."""
    port = free_port()
    (folder / "held_app.py").write_text(APP)
    (folder / "slow.py").write_text(SLOW)
    words = ["--worker-class", "slow.Worker", "--threads", "1", "--worker-connections", "100", "--no-control-socket"]
    command = [sys.executable, "-m", "gunicorn", *words, "--bind", f"127.0.0.1:{port}", "held_app:application"]
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join((str(folder), os.getcwd()))}
    process = subprocess.Popen(command, env=environ, stderr=subprocess.DEVNULL)
    wait_for_port(port)
    yield port
    process.kill()
    process.wait()


def ask(port, path="/echo", body=b"hello") -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("POST" if body else "GET", path, body or None)
    response = connection.getresponse()
    return response.status, response.read()


def connect(port, data) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", port), timeout=20)
    client.sendall(data)
    return client


@pytest.mark.parametrize("kind", UNFINISHED)
def test_unfinished_requests_hold_up_nobody(server, kind):
    with contextlib.ExitStack() as stack:
        for _ in range(50):
            stack.enter_context(connect(server, UNFINISHED[kind]))

        assert ask(server) == (200, b"hello")
        assert ask(server, "/health/live", b"") == (200, b'{"status": "ok"}')


def test_more_connections_than_the_worker_holds_cost_the_oldest_unfinished_one(server):
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(connect(server, UNFINISHED["body"])) for _ in range(120)]

        assert ask(server) == (200, b"hello")
        assert clients[0].recv(1) == b""
        clients[-1].sendall(b"ello")
        assert clients[-1].recv(1000).startswith(b"HTTP/1.1 200 OK")


def test_liveness_is_answered_while_all_threads_are_busy(server, folder):
    with connect(server, b"GET /hold HTTP/1.1\r\nHost: localhost\r\n\r\n") as client:
        assert ask(server, "/health/live", b"") == (200, b'{"status": "ok"}')
        (folder / "released").touch()
        assert client.recv(1000).startswith(b"HTTP/1.1 200 OK")


def test_a_client_that_does_not_read_its_response_loses_its_thread(server):
    with connect(server, b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n"):
        assert ask(server) == (200, b"hello")


def test_a_client_that_keeps_a_finished_connection_open_holds_up_nobody(server):
    with contextlib.ExitStack() as stack:
        for _ in range(20):
            closing = POST.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n") + b"hello"
            stack.enter_context(connect(server, closing))
        started = time.monotonic()

        assert ask(server) == (200, b"hello")
        assert time.monotonic() - started < 10  # gunicorn waits for each of them for two seconds


def test_requests_that_come_together_are_answered_in_turn(server):
    with connect(server, POST + b"first" + POST + b"again") as client:
        received = b""
        while b"again" not in received:
            received += client.recv(1000)

    assert received.index(b"first") < received.index(b"again")


def test_a_client_that_asks_whether_to_go_on_is_told_to(server):
    head = POST.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n")
    with connect(server, head) as client:
        assert client.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", b"411 Length Required"),
        (b"POST / HTTP/1.1\r\nContent-Length: 99000000\r\n\r\n", b"413 Content Too Large"),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * (HEAD_LIMIT + 10), b"431 Request Header Fields Too Large"),
    ],
)
def test_what_cannot_be_accepted_is_refused_by_its_head(server, head, status):
    with connect(server, head) as client:
        assert client.recv(1000).startswith(b"HTTP/1.1 " + status)
        assert client.recv(1000) == b""


def test_a_request_is_complete_with_the_last_byte_of_its_body():
    incoming = Incoming(100)
    for byte in POST + b"hell":
        incoming.add(bytes([byte]))
        assert not incoming.is_complete
    incoming.add(b"o")

    assert incoming.is_complete
    assert incoming.size == len(POST) + 5


def test_a_request_without_a_body_is_complete_with_its_head():
    incoming = Incoming(100)
    incoming.add(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\nGET /next")

    assert incoming.is_complete
    assert incoming.size == len(incoming.data) - len(b"GET /next")


def test_a_body_may_be_as_large_as_the_limit_and_no_larger():
    head = b"POST / HTTP/1.1\r\ncontent-length:%d\r\n\r\n"
    Incoming(100).add(head % 100)
    with pytest.raises(Refused, match="413"):
        Incoming(100).add(head % 101)


def test_a_larger_body_has_more_time():
    small, large = Incoming(10**7), Incoming(10**7)
    small.add(b"POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\n")
    large.add(b"POST / HTTP/1.1\r\nContent-Length: 1048576\r\n\r\n")

    assert large.deadline - small.deadline > 9
