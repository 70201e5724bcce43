"""deploy/nginx in front of a web and a gRPC server that answer with what has reached them."""

import contextlib
import http.client
import http.server
import json
import os
import re
import shutil
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

FOLDER = Path(__file__).resolve().parent.parent / "nginx"
NGINX = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")

pytestmark = pytest.mark.skipif(NGINX is None, reason="needs nginx")


class Echo(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = json.dumps({"path": self.path, "headers": {k.lower(): v for k, v in self.headers.items()}}).encode()
        body += b" " * 2000
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET  # noqa: N815

    def log_message(self, *args):
        pass


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@pytest.fixture(scope="module")
def web():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()


@pytest.fixture(scope="module")
def broken():
    """A server that hangs up on whatever it is sent, with what it was sent."""
    server, seen = socket.create_server(("127.0.0.1", 0)), []

    def hang_up():
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection:
                seen.append(connection.recv(65536).partition(b" ")[0].decode())

    threading.Thread(target=hang_up, daemon=True).start()
    yield server.getsockname()[1], seen
    server.close()


@pytest.fixture(scope="module")
def rpc():
    server = grpc.server(ThreadPoolExecutor(2))
    health_pb2_grpc.add_HealthServicer_to_server(health.HealthServicer(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield port
    server.stop(None)


@pytest.fixture(scope="module")
def front(tmp_path_factory, web, rpc):
    """The ports at which nginx listens: HTTP and gRPC."""
    with nginx(tmp_path_factory.mktemp("nginx"), [web], [rpc]) as ports:
        yield ports


@contextlib.contextmanager
def nginx(folder, web, rpc, upstreams=FOLDER / "upstreams.conf", **changes):
    """nginx in front of servers at these ports."""
    ports = free_port(), free_port()
    folder.mkdir(exist_ok=True)
    text = (FOLDER / "nginx.conf").read_text()
    for old, new in (
        ("listen 8080", f"listen 127.0.0.1:{ports[0]}"),
        ("listen 50051", f"listen 127.0.0.1:{ports[1]}"),
        ("/tmp/nginx.pid", f"{folder}/nginx.pid"),
        ("/dev/stderr", f"{folder}/error.log"),
        ("/dev/stdout", f"{folder}/access.log"),
        ("worker_processes auto", "worker_processes 1"),
        *changes.items(),
    ):
        assert old in text
        text = text.replace(old, new)
    (folder / "nginx.conf").write_text(text)
    upstreams = re.sub(r"    server \w+2:.*\n", "", upstreams.read_text())
    for name, ports_behind in (("web:8000", web), ("grpc:50051", rpc)):
        (line,) = re.findall(f"    server {name}.*;\n", upstreams)
        upstreams = upstreams.replace(line, "".join(line.replace(name, f"127.0.0.1:{port}") for port in ports_behind))
    (folder / "upstreams.conf").write_text(upstreams)
    command = [NGINX, "-p", str(folder), "-c", "nginx.conf"]
    subprocess.run([*command, "-t"], check=True, capture_output=True)
    server = subprocess.Popen([*command, "-g", "daemon off;"])
    try:
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", ports[0])) == 0:
                    break
            time.sleep(0.05)
        yield ports
    finally:
        server.terminate()
        server.wait(10)


def ask(front, path="/graphql", data=None, **headers):
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(f"http://127.0.0.1:{front[0]}{path}", data=data, headers=names)
    with urllib.request.urlopen(request, timeout=5) as answer:
        return json.load(answer)["headers"]


def test_nothing_that_a_client_writes_about_itself_is_handed_on(front):
    said = {
        "X_Forwarded_For": "198.51.100.1",
        "X_Forwarded_Proto": "https",
        "X_Forwarded_Host": "evil.example",
        "Forwarded": "for=198.51.100.1",
    }
    seen = ask(front, **said)

    assert (seen["x-forwarded-for"], seen["x-forwarded-proto"]) == ("127.0.0.1", "http")
    assert not {"x-forwarded-host", "forwarded"} & set(seen)


def test_a_request_id_is_handed_on_or_made(front):
    assert ask(front, X_Request_ID="abc-123.DEF")["x-request-id"] == "abc-123.DEF"
    assert len(ask(front)["x-request-id"]) == 32
    assert len(ask(front, X_Request_ID='a" b')["x-request-id"]) == 32


def test_the_host_stays_with_its_port(front):
    assert ask(front)["host"] == f"127.0.0.1:{front[0]}"


def test_a_body_that_is_too_large_goes_no_further(front):
    with pytest.raises(urllib.error.HTTPError) as refused:
        ask(front, data=b"x" * (2 * 2**20 + 1))

    assert refused.value.code == 413


def test_answers_are_compressed(front):
    request = urllib.request.Request(f"http://127.0.0.1:{front[0]}/graphql", headers={"Accept-Encoding": "gzip"})
    with urllib.request.urlopen(request, timeout=5) as answer:
        assert answer.headers["Content-Encoding"] == "gzip"


def test_what_is_wrong_inside_is_not_told_outside(front):
    assert ask(front, "/health/live")
    with pytest.raises(urllib.error.HTTPError) as refused:
        ask(front, "/health/ready")

    assert refused.value.code == 404


def test_grpc_calls_go_through(front):
    with grpc.insecure_channel(f"127.0.0.1:{front[1]}") as channel:
        answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=5)

    assert answer.status == health_pb2.HealthCheckResponse.SERVING


def test_what_a_server_refuses_another_one_gets(tmp_path, web, rpc):
    away = free_port(), free_port()
    with nginx(tmp_path, [away[0], web], [away[1], rpc]) as front:
        for _ in range(6):
            assert ask(front)["host"]
            assert ask(front, data=b"a mutation")["host"]
        with grpc.insecure_channel(f"127.0.0.1:{front[1]}") as channel:
            for _ in range(3):
                health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=5)


def test_what_a_server_was_sent_is_sent_again_only_if_it_changes_nothing(tmp_path, web, rpc, broken):
    port, seen = broken
    with nginx(tmp_path, [port, web], [rpc]) as front:
        assert ask(front)["host"]
        assert seen == ["GET"]
    with nginx(tmp_path / "again", [port, web], [rpc]) as front:
        with pytest.raises(urllib.error.HTTPError) as refused:
            ask(front, data=b"a mutation")
        assert refused.value.code == 502
        assert seen == ["GET", "POST"]


def test_an_address_that_asks_too_often_is_told_to_wait(tmp_path, web, rpc):
    def status(address):
        connection = http.client.HTTPConnection("127.0.0.1", ports[0], timeout=5, source_address=(address, 0))
        connection.request("GET", "/graphql")
        response = connection.getresponse()
        return response.status, response.getheader("Retry-After"), json.load(response)

    slow = {"rate=100r/s": "rate=1r/m", "burst=400": "burst=2"}
    with nginx(tmp_path, [web], [rpc], **slow) as ports:
        answers = [status("127.0.0.2") for _ in range(4)]

        assert [answer[0] for answer in answers] == [200, 200, 200, 429]
        assert answers[3][1] == "1"
        assert answers[3][2]["errors"][0]["extensions"]["code"] == "RATE_LIMITED"
        assert status("127.0.0.3")[0] == 200
        assert [status("127.0.0.1")[0] for _ in range(5)] == [200] * 5  # the machine's own are not counted
