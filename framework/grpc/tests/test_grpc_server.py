import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import types
from pathlib import Path

import grpc
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from structlog.testing import capture_logs

from framework import context, discovery
from framework.grpc import interceptors
from framework.grpc import server as grpc_server
from framework.grpc import service as rpc
from framework.grpc.tests import echo
from framework.management.commands.grpcrunserver import full_address
from framework.observe import health as stores
from framework.testing.servers import free_port

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
STARTS_WITHIN = 90  # seconds, on a busy machine


@pytest.fixture(autouse=True)
def _echo_is_the_only_domain(monkeypatch, settings):
    settings.GRPC_TOKENS = f"shop:{echo.TOKEN}"
    module = types.ModuleType("apps.echo.rpc")
    module.register = echo.register
    monkeypatch.setattr(discovery, "modules", lambda name: [module])


@pytest.fixture
def ready(monkeypatch):
    """Decides what the readiness check finds."""
    found = []
    monkeypatch.setattr(stores, "check", lambda: stores.Health(list(found), []))
    return found


@pytest.fixture
def server(ready):
    server = grpc_server.Server("127.0.0.1:0")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def channel(server):
    with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        yield channel


def health(channel, service="", timeout=5):
    stub = health_pb2_grpc.HealthStub(channel)
    request = health_pb2.HealthCheckRequest(service=service)
    return stub.Check(request, timeout=timeout, wait_for_ready=True).status


def wait_until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_health_follows_the_stores(channel, ready):
    wait_until(lambda: health(channel) == SERVING)
    assert health(channel, echo.NAME) == SERVING

    ready.append("database: OperationalError")
    wait_until(lambda: health(channel) == NOT_SERVING)
    assert health(channel, echo.NAME) == NOT_SERVING


def test_a_watcher_hears_of_changes(channel, ready):
    watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(service=echo.NAME))
    wait_until(lambda: next(watch).status == SERVING)
    ready.append("broker: ConnectionError")

    assert next(watch).status == NOT_SERVING


def test_reflection_lists_the_services_when_it_is_on(settings, ready):
    settings.GRPC_REFLECTION = True
    server = grpc_server.Server("127.0.0.1:0")
    server.start()
    with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        request = reflection_pb2.ServerReflectionRequest(list_services="*")
        (answer,) = stub.ServerReflectionInfo(iter([request]))
    server.stop()

    names = {service.name for service in answer.list_services_response.service}
    assert names == {echo.NAME, "grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection"}


def test_reflection_is_unimplemented_when_it_is_off(settings, ready):
    settings.GRPC_REFLECTION = False
    server = grpc_server.Server("127.0.0.1:0")
    server.start()
    with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel, pytest.raises(grpc.RpcError) as failed:
        list(reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(iter([])))
    server.stop()

    assert failed.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_more_calls_than_allowed_are_refused_at_once_and_logged(settings, ready, monkeypatch):
    settings.GRPC_MAX_CALLS = 2
    settings.GRPC_THREADS = 1
    go_on = threading.Event()

    def act(request, context):
        go_on.wait(10)
        return request

    monkeypatch.setattr(echo.EchoService, "act", staticmethod(act))
    server = grpc_server.Server("127.0.0.1:0")
    server.start()
    with capture_logs() as logs, grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        calls = [echo.Stub(channel).Write.future(echo.Text(), metadata=echo.bearer()) for _ in range(2)]
        wait_until(server._chain.is_full)
        refused = [echo.Stub(channel).Write.future(echo.Text(), metadata=echo.bearer()).exception() for _ in "1234"]
        go_on.set()
        served = [call.result() for call in calls]
    server.stop()

    assert [error.code() for error in refused] == [grpc.StatusCode.RESOURCE_EXHAUSTED] * 4
    assert served == [echo.Text()] * 2
    lines = [(line["name"], line["code"], line.get("method")) for line in logs if line["event"] == "call"]
    assert sorted(lines) == [(echo.WRITE, "OK", None)] * 2 + [(echo.WRITE, "RESOURCE_EXHAUSTED", echo.WRITE)] * 4


def test_a_message_that_is_too_large_is_refused(channel, settings):
    with capture_logs() as logs, pytest.raises(grpc.RpcError) as failed:
        echo.Stub(channel).Write(echo.Text(text="x" * settings.GRPC_MAX_MESSAGE), metadata=echo.bearer())
    wait_until(lambda: logs)

    assert failed.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    (line,) = logs
    assert line["name"] == echo.WRITE
    assert line["code"] in ("CANCELLED", "INVALID_ARGUMENT")  # whether grpc first tells of the end or of no message


@pytest.mark.parametrize("method", ["Check", "Watch"])
def test_probes_that_do_not_say_what_they_ask_keep_no_thread(settings, ready, monkeypatch, method):
    monkeypatch.setattr(interceptors, "MESSAGE_WITHIN", 0.5)
    settings.GRPC_THREADS = 1
    go_on = threading.Event()

    def too_late():
        go_on.wait(20)
        yield b""

    server = grpc_server.Server("127.0.0.1:0")
    server.start()
    with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        silent = channel.stream_stream(f"/grpc.health.v1.Health/{method}")(too_late())
        answer = echo.Stub(channel).Write(echo.Text(text="a"), metadata=echo.bearer(), timeout=10)
        silent.cancel()
        go_on.set()
    server.stop()

    assert answer.text == "a"


def test_too_much_metadata_is_refused(channel):
    with pytest.raises(grpc.RpcError) as failed:
        echo.Stub(channel).Write(echo.Text(), metadata=(*echo.bearer(), ("x-much", "x" * 100_000)))

    assert failed.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_a_busy_port_is_refused(server):
    with pytest.raises(grpc_server.AddressInUse, match=rf"port {server.port} of 127\.0\.0\.1.*set GRPC_PORT"):
        grpc_server.Server(f"127.0.0.1:{server.port}")


def test_processes_that_share_a_port_refuse_a_stranger_on_it(server):
    with pytest.raises(grpc_server.AddressInUse), grpc_server.hold_port(f"127.0.0.1:{server.port}"):
        pass


def test_calls_in_flight_end_well_when_the_server_stops(ready, monkeypatch):
    entered = threading.Semaphore(0)

    def take_a_while(request, context):
        entered.release()
        time.sleep(0.3)
        return request

    monkeypatch.setattr(echo.EchoService, "act", staticmethod(take_a_while))
    server = grpc_server.Server("127.0.0.1:0")
    server.start()
    with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        futures = [echo.Stub(channel).Write.future(echo.Text(), metadata=echo.bearer()) for _ in range(8)]
        for _ in range(4):
            entered.acquire()

        assert server.stop(notice=0.2) is True
        assert [future.code().name for future in futures] == ["OK"] * 8


def test_calls_that_outlast_the_grace_time_are_cancelled(ready, monkeypatch, settings):
    settings.GRPC_GRACE = 0.1
    monkeypatch.setattr(grpc_server, "LAST_WAIT", 0.1)
    monkeypatch.setattr(echo.EchoService, "act", staticmethod(lambda request, context: time.sleep(1) or request))
    server = grpc_server.Server("127.0.0.1:0")
    server.start()
    with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        future = echo.Stub(channel).Write.future(echo.Text(), metadata=echo.bearer())
        time.sleep(0.1)

        assert server.stop() is False
        assert future.code() in (grpc.StatusCode.CANCELLED, grpc.StatusCode.UNAVAILABLE)


def test_two_domains_with_one_service_are_refused_by_name(monkeypatch):
    modules = [types.ModuleType("apps.one.rpc"), types.ModuleType("apps.two.rpc")]
    for module in modules:
        module.register = echo.register
    monkeypatch.setattr(discovery, "modules", lambda name: modules)

    with pytest.raises(ImproperlyConfigured, match=r"'echo\.v1\.EchoService'.*apps\.one\.rpc.*apps\.two\.rpc"):
        rpc.register(grpc.server(None))


# TLS


@pytest.fixture(scope="module")
def pem(tmp_path_factory):
    """An authority, and what it signed for the server (localhost) and for a service (shop)."""
    folder = tmp_path_factory.mktemp("pem")

    def openssl(*words):
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")
    openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=authority")
    for name in ("localhost", "shop"):
        openssl("req", *key[:-2], "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        (folder / "names").write_text(f"subjectAltName=DNS:{name}")
        words = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "names")
        openssl("x509", "-req", "-in", f"{name}.csr", "-out", f"{name}.pem", *words)
    return folder


@pytest.fixture
def tls_server(pem, settings, ready):
    settings.GRPC_TLS_CERT, settings.GRPC_TLS_KEY = pem / "localhost.pem", pem / "localhost.key"
    servers = []

    def start(**overrides):
        for name, value in overrides.items():
            setattr(settings, name, value)
        servers.append(grpc_server.Server("127.0.0.1:0"))
        servers[0].start()
        return f"localhost:{servers[0].port}"

    yield start
    servers[0].stop()


def who(request, call):

    return echo.Text(text=str(context.actor()))


def test_tls_protects_calls(tls_server, pem):
    credentials = grpc.ssl_channel_credentials((pem / "ca.pem").read_bytes())
    with grpc.secure_channel(tls_server(), credentials) as channel:
        assert echo.Stub(channel).Write(echo.Text(text="a"), metadata=echo.bearer()).text == "a"


@pytest.fixture
def certified(tls_server, pem, settings, monkeypatch):
    """A stub that shows the certificate of `shop` and no token to a server with these GRPC_TOKENS."""
    monkeypatch.setattr(echo.EchoService, "act", staticmethod(who))
    files = [(pem / name).read_bytes() for name in ("ca.pem", "shop.key", "shop.pem")]
    with contextlib.ExitStack() as stack:

        def connect(tokens):
            settings.GRPC_TOKENS = tokens
            address = tls_server(GRPC_TLS_CLIENT_CA=pem / "ca.pem")
            return echo.Stub(stack.enter_context(grpc.secure_channel(address, grpc.ssl_channel_credentials(*files))))

        yield connect


def test_a_certificate_may_call_what_its_scopes_name(certified):
    stub = certified("shop:certificate:echo.read")

    assert stub.Read(echo.Text()).text == "service:shop"
    with pytest.raises(grpc.RpcError, match="may not call"):
        stub.Write(echo.Text())


@pytest.mark.parametrize("tokens", [f"shop:{echo.TOKEN}", "other:certificate"])
def test_a_certificate_that_is_not_listed_names_nobody(certified, tokens):
    stub = certified(tokens)

    assert stub.Read(echo.Text()).text == "nobody"
    with pytest.raises(grpc.RpcError) as failed:
        stub.Write(echo.Text())
    assert failed.value.code() is grpc.StatusCode.UNAUTHENTICATED


@pytest.mark.parametrize(
    ("entry", "complaint"),
    [
        (f"shop:{echo.TOKEN}:ecko", "gives 'shop' a scope that names nothing here.* there are: .*, echo, echo.read,"),
        (f"shop:{echo.TOKEN}:echo+ecko.read", "names nothing"),
        (f"shop:{echo.TOKEN}:echo.v2.EchoService", "names nothing"),
        (f"shop:{echo.TOKEN}:echo.v1.EchoService/Reed", "names nothing"),
        ("shop:certificate:echo", "set GRPC_TLS_CLIENT_CA, or give it a token"),
    ],
)
def test_a_scope_that_would_not_be_enforced_refuses_to_start(settings, entry, complaint):
    settings.GRPC_TOKENS = f"other:{echo.OLD_TOKEN},{entry}"

    with pytest.raises(ImproperlyConfigured, match=complaint):
        grpc_server.Server("127.0.0.1:0")


def test_a_scope_may_name_a_domain_that_runs_elsewhere(settings, ready):
    settings.REMOTE_DOMAINS = {"catalog": "grpc://127.0.0.1:1"}
    settings.GRPC_TOKENS = f"shop:{echo.TOKEN}:catalog.read+catalog.v1.CatalogService+echo.v1.EchoService/Read+assert"

    grpc_server.Server("127.0.0.1:0").stop()


def test_with_mutual_tls_a_client_without_certificate_does_not_get_in(tls_server, pem):
    credentials = grpc.ssl_channel_credentials((pem / "ca.pem").read_bytes())
    address = tls_server(GRPC_TLS_CLIENT_CA=pem / "ca.pem")
    with grpc.secure_channel(address, credentials) as channel, pytest.raises(grpc.RpcError) as failed:
        echo.Stub(channel).Write(echo.Text(), metadata=echo.bearer(), timeout=5)

    assert failed.value.code() is grpc.StatusCode.UNAVAILABLE


# The command


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("", "127.0.0.1:50051"),
        ("7000", "127.0.0.1:7000"),
        ("0.0.0.0:7000", "0.0.0.0:7000"),
        ("[::]:7000", "[::]:7000"),
        (":7000", "127.0.0.1:7000"),
    ],
)
def test_an_address_is_completed_by_the_settings(settings, text, address):
    settings.HOST, settings.GRPC_PORT = "127.0.0.1", 50051

    assert full_address(text) == address


def test_an_ipv6_host_is_put_in_brackets(settings):
    settings.HOST, settings.GRPC_PORT = "::1", 50051

    assert full_address("") == "[::1]:50051"


@pytest.mark.parametrize("words", [["port"], ["70000"], ["--processes", "0"], ["--processes", "2", "--dev"]])
def test_words_that_make_no_sense_are_refused(words):
    with pytest.raises(CommandError):
        call_command("grpcrunserver", *words)


@pytest.fixture(scope="module")
def migrated(tmp_path_factory):
    """A folder with a database of its own: a process without its tables says NOT_SERVING."""
    folder = tmp_path_factory.mktemp("migrated")
    environ = {**os.environ, "DATA_DIR": str(folder), "DATABASE_URL": ""}
    subprocess.run([sys.executable, "-m", "django", "migrate", "--verbosity", "0"], env=environ, check=True)
    return folder


@pytest.fixture
def run(migrated):
    """Starts the command on a free port: yields a function that returns the process and a channel to it."""
    started = []

    def start(*words, **variables):
        port = free_port()
        process = subprocess.Popen(
            [sys.executable, "-m", "django", "grpcrunserver", f"127.0.0.1:{port}", *words],
            env={**os.environ, "DATA_DIR": str(migrated), "DATABASE_URL": "", "LOG_FORMAT": "json", **variables},
            stderr=subprocess.PIPE,
            text=True,
        )
        channel = grpc.insecure_channel(f"127.0.0.1:{port}", [("grpc.initial_reconnect_backoff_ms", 100)])
        started.append((process, channel))
        return process, channel

    yield start
    for process, channel in started:
        channel.close()
        process.kill()
        process.communicate()


def test_the_command_serves_until_it_is_told_to_stop(run):
    process, channel = run()
    wait_until(lambda: health(channel, timeout=STARTS_WITHIN) == SERVING)
    process.send_signal(signal.SIGTERM)

    assert process.wait(STARTS_WITHIN) == 0


SIGNALLED = """
import os, signal
from framework.signals import stop_on_signals

stopped = stop_on_signals()
with stopped._cond:  # as the main thread holds it for a moment whenever it begins or ends to wait
    os.kill(os.getpid(), signal.SIGTERM)
    for _ in range(1000):
        pass  # here the handler runs
stopped.wait()
"""


def test_a_signal_that_meets_the_main_thread_in_the_events_lock_stops_it():
    done = subprocess.run([sys.executable, "-c", SIGNALLED], timeout=20)

    assert done.returncode == 0


def test_the_command_refuses_a_busy_port(run):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "-m", "django", "grpcrunserver", f"127.0.0.1:{port}"],
            capture_output=True,
            text=True,
            timeout=30,
        )

    assert done.returncode == 1
    assert f"port {port}" in done.stderr
    assert "GRPC_PORT" in done.stderr
    assert "Traceback" not in done.stderr


def is_worker(pid):
    try:
        return b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def children_of(process):
    try:
        pids = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    except OSError:
        return []
    return [int(pid) for pid in pids if is_worker(pid)]


def answers(channel):
    try:
        return health(channel, timeout=STARTS_WITHIN) == SERVING
    except grpc.RpcError:  # the channel was connected to the process that died
        return False


def test_a_process_that_dies_is_replaced(run):
    process, channel = run("--processes", "2")
    wait_until(lambda: health(channel, timeout=STARTS_WITHIN) == SERVING)
    wait_until(lambda: len(children_of(process)) == 2)
    before = children_of(process)
    os.kill(before[0], signal.SIGKILL)

    wait_until(lambda: len(children_of(process)) == 2 and children_of(process) != before)
    wait_until(lambda: answers(channel))
    process.send_signal(signal.SIGTERM)
    assert process.wait(STARTS_WITHIN) == 0
    assert children_of(process) == []


def test_processes_do_not_outlive_a_parent_that_was_killed(run):
    process, channel = run("--processes", "2")
    wait_until(lambda: health(channel, timeout=STARTS_WITHIN) == SERVING)
    wait_until(lambda: len(children_of(process)) == 2)
    children = children_of(process)
    process.kill()

    wait_until(lambda: not any(is_worker(pid) for pid in children))
