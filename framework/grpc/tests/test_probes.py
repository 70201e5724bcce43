import threading
import types

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from framework import discovery
from framework.grpc import interceptors
from framework.grpc import server as grpc_server
from framework.grpc.tests import probe
from framework.observe import health as stores

CHECK = "/grpc.health.v1.Health/Check"
WATCH = "/grpc.health.v1.Health/Watch"
REFLECT = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
SILENT = 40


@pytest.fixture
def channel(settings, monkeypatch):
    """To a server of the probe service with one thread for calls, which waits for a message beyond the test's end."""
    module = types.ModuleType("apps.probe.rpc")
    module.register = probe.register
    monkeypatch.setattr(discovery, "modules", lambda name: [module])
    monkeypatch.setattr(stores, "check", lambda: stores.Health([], []))
    monkeypatch.setattr(interceptors, "MESSAGE_WITHIN", 60)
    settings.GRPC_TOKENS = f"shop:{probe.TOKEN}"
    settings.GRPC_THREADS, settings.GRPC_MAX_CALLS, settings.GRPC_REFLECTION = 1, 60, True
    server = grpc_server.Server("127.0.0.1:0")
    server.start()
    with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        grpc.channel_ready_future(channel).result(timeout=10)
        yield channel
    server.stop()


@pytest.fixture
def keep_silent(channel):
    """Opens calls that send no message until the test ends."""
    end = threading.Event()

    def nothing():
        end.wait(60)
        yield b""

    opened = []  # a call that nobody refers to is cancelled

    def open_calls(method, count):
        opened.extend(channel.stream_stream(method)(nothing()) for _ in range(count))
        return opened

    yield open_calls
    end.set()


@pytest.mark.parametrize("method", [CHECK, WATCH, REFLECT])
def test_silent_probes_keep_neither_calls_nor_health_checks_waiting(channel, keep_silent, method):
    keep_silent(method, SILENT)

    answer = probe.Stub(channel).Write(probe.Text(text="a"), metadata=probe.bearer(), timeout=10)
    checked = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=10)

    assert answer.text == "a"
    assert checked.status in (health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING)


def test_the_probe_that_has_been_open_for_longest_makes_room_for_a_new_one(keep_silent):
    silent = keep_silent(CHECK, SILENT)

    ended = [call.code() for call in silent[: SILENT - 16]]

    assert ended == [grpc.StatusCode.CANCELLED] * (SILENT - 16)


def test_watchers_cannot_take_the_places_of_calls(channel):
    stub = health_pb2_grpc.HealthStub(channel)
    watchers = [stub.Watch(health_pb2.HealthCheckRequest(), timeout=30) for _ in range(60)]
    first = [next(watcher).status for watcher in watchers[-8:]]

    answer = probe.Stub(channel).Write(probe.Text(text="a"), metadata=probe.bearer(), timeout=10)

    assert answer.text == "a"
    assert len(first) == 8


def test_a_health_check_of_an_unknown_service_is_not_found(channel):
    with pytest.raises(grpc.RpcError) as failed:
        health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service="nobody"), timeout=10)

    assert failed.value.code() is grpc.StatusCode.NOT_FOUND


def test_a_health_check_without_a_message_is_the_clients_fault(channel):
    with pytest.raises(grpc.RpcError) as failed:
        next(channel.stream_stream(CHECK)(iter(()), timeout=10))

    assert failed.value.code() is grpc.StatusCode.INVALID_ARGUMENT
