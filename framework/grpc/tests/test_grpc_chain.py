import contextlib
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import InterfaceError, OperationalError, connection, connections
from structlog.testing import capture_logs

from framework import context
from framework.actor import NOBODY, allow, anyone
from framework.errors import InvalidArgument
from framework.grpc import interceptors
from framework.grpc.errors import from_call
from framework.grpc.service import Service
from framework.grpc.tests import echo
from framework.grpc.tests.conftest import serving
from framework.testing import grpc as testing

ID = ("x-request-id", "an-id-1")


def failure(function, *args, **kwargs):
    with pytest.raises(grpc.RpcError) as failed:
        function(*args, **kwargs)
    return failed.value


@pytest.fixture
def logs():
    with capture_logs() as lines:
        yield lines


def wait_for_line(logs):
    for _ in range(200):
        if found := [line for line in logs if line["event"] == "call"]:
            return found[-1]
        time.sleep(0.01)
    raise AssertionError("no access line")


def test_the_request_id_is_known_to_the_handler_and_comes_back(stub, act):
    def fail(request, call):
        raise InvalidArgument(context.request_id())

    act(fail)
    error = failure(stub.Write, echo.Text(), metadata=(*echo.bearer(), ID))

    assert error.details() == "an-id-1"
    assert ID in [tuple(pair) for pair in error.trailing_metadata()]


@pytest.mark.parametrize("received", ["", "with space", "x" * 65, "a\\nb"])
def test_an_ill_formed_request_id_is_replaced(stub, act, received):
    act(lambda request, call: echo.Text(text=context.request_id()))

    answer = stub.Write(echo.Text(), metadata=(*echo.bearer(), ("x-request-id", received)))

    assert re.fullmatch("[0-9a-f]{32}", answer.text)


@pytest.mark.parametrize(
    ("method", "request_"),
    [
        ("Write", echo.Text(text="a")),
        ("Stream", echo.Text(text="a")),
        ("Collect", [echo.Text(text="a")]),
        ("Chat", [echo.Text(text="a")]),
    ],
)
def test_every_kind_of_method_answers_and_logs_one_line(stub, act, logs, method, request_):
    act(lambda request, context: next(request) if method == "Collect" else iter([echo.Text(text="b")]))
    if method == "Write":
        act(echo.unchanged)

    response = getattr(stub, method)(iter(request_) if isinstance(request_, list) else request_, metadata=echo.bearer())
    with contextlib.suppress(TypeError):
        response = next(response)

    assert response.text in ("a", "b")
    line = wait_for_line(logs)
    assert line.pop("ms") >= 0
    expected = {
        "name": f"/{echo.NAME}/{method}",
        "actor": "service:shop",
        "event": "call",
        "log_level": "info",
        "queries": 0,
        "sql_ms": 0.0,
    }
    assert line in ({**expected, "code": "OK"}, {**expected, "code": "CANCELLED"})


def test_an_unexpected_error_is_masked_and_logged(stub, act, logs):
    def fail(request, context):
        raise ValueError("password is hunter2")

    act(fail)
    error = failure(stub.Write, echo.Text(), metadata=(*echo.bearer(), ID))

    assert error.code() is grpc.StatusCode.INTERNAL
    assert error.details() == "Internal error; the log has it under request id an-id-1."
    assert [str(line["exc_info"]) for line in logs if line["event"] == "unexpected error"] == ["password is hunter2"]


@pytest.mark.parametrize("error_class", [OperationalError, InterfaceError])
def test_a_database_that_does_not_answer_is_unavailable(stub, act, error_class):
    def fail(request, context):
        raise error_class("connection to 10.0.0.7 refused")

    act(fail)
    error = failure(stub.Write, echo.Text(), metadata=echo.bearer())

    assert error.code() is grpc.StatusCode.UNAVAILABLE
    assert "10.0.0.7" not in error.details()
    assert from_call(error, "echo").reason == "DATABASE"


def test_a_handler_may_abort_by_itself(stub, act):
    act(lambda request, context: context.abort(grpc.StatusCode.OUT_OF_RANGE, "past the end"))

    error = failure(stub.Write, echo.Text(), metadata=echo.bearer())

    assert (error.code(), error.details()) == (grpc.StatusCode.OUT_OF_RANGE, "past the end")


@pytest.mark.parametrize("data", [b"\xff", b"\x0a\x05abc", b"\x0a\x01\xff", bytes(range(256))])
def test_bytes_that_are_no_message_are_the_clients_fault(channel, data):
    method = channel.unary_unary(
        echo.WRITE, request_serializer=lambda value: value, response_deserializer=echo.Text.FromString
    )

    error = failure(method, data, metadata=echo.bearer())

    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert from_call(error, "echo").reason == "MALFORMED"


@pytest.fixture
def given_up():
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def write_later(given_up):
    """Begins calls of Write that send their message when it is too late, if at all."""

    def later():
        given_up.wait(20)
        yield echo.Text()

    def begin(address, messages=None, **options):
        connected.append(grpc.insecure_channel(address))
        method = connected[-1].stream_unary(echo.WRITE, echo.Text.SerializeToString, echo.Text.FromString)
        return method.future(later() if messages is None else iter(messages), **options)

    connected = []
    yield begin
    for channel in connected:
        channel.close()


def test_who_may_not_call_is_told_so_before_the_message_is_there(write_later):
    with serving(threads=1) as address:
        error = write_later(address).exception(timeout=10)

    assert error.code() is grpc.StatusCode.UNAUTHENTICATED


def test_a_message_that_does_not_come_does_not_keep_the_thread(write_later, monkeypatch, logs):
    with serving(threads=1) as address, grpc.insecure_channel(address) as channel:
        with monkeypatch.context() as patch:
            patch.setattr(interceptors, "MESSAGE_WITHIN", 0.1)
            error = write_later(address, metadata=echo.bearer()).exception(timeout=10)
        line = wait_for_line(logs)
        answer = echo.Stub(channel).Write(echo.Text(text="a"), metadata=echo.bearer(), timeout=10)

    assert error.code() is grpc.StatusCode.CANCELLED
    assert line["name"] == echo.WRITE
    assert line["code"] in ("CANCELLED", "INVALID_ARGUMENT")  # whether grpc first tells of the end or of no message
    assert answer.text == "a"


def test_a_stream_of_messages_ends_with_the_calls_time(given_up):
    def later():
        given_up.wait(20)
        yield echo.Text()

    with serving(echo.chain(deadline=0.1)) as address, grpc.insecure_channel(address) as channel:
        answers = echo.Stub(channel).Chat(later(), metadata=echo.bearer())
        with pytest.raises(grpc.RpcError) as failed:
            next(answers)

    assert failed.value.code() is grpc.StatusCode.CANCELLED


def test_a_call_without_a_message_is_the_clients_fault(write_later):
    with serving() as address:
        error = write_later(address, (), metadata=echo.bearer()).exception(timeout=10)

    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert from_call(error, "echo").reason == "MALFORMED"


def test_an_unknown_method_is_unimplemented(channel, logs):
    method = channel.unary_unary(
        f"/{echo.NAME}/Nothing",
        request_serializer=echo.Text.SerializeToString,
        response_deserializer=echo.Text.FromString,
    )

    assert failure(method, echo.Text()).code() is grpc.StatusCode.UNIMPLEMENTED
    line = wait_for_line(logs)
    assert (line["name"], line["method"], line["code"]) == ("unknown", f"/{echo.NAME}/Nothing", "UNIMPLEMENTED")


def test_the_default_deadline_is_set_when_the_client_set_none(stub, act):
    act(lambda request, call: echo.Text(text=str(context.seconds_left())))

    assert 29 < float(stub.Write(echo.Text(), metadata=echo.bearer()).text) <= 30
    assert 4 < float(stub.Write(echo.Text(), metadata=echo.bearer(), timeout=5).text) < 5.1  # the wire rounds up


def test_calls_do_not_see_one_another(stub, act):
    act(lambda request, call: echo.Text(text=repr(context.actor())))
    stub.Write(echo.Text(), metadata=echo.bearer())

    assert stub.Read(echo.Text()).text == repr(NOBODY)
    assert context.actor() == NOBODY


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_streams_outnumber_the_pools_connections(act, monkeypatch):
    database = connections.databases["default"]
    monkeypatch.setitem(database, "CONN_MAX_AGE", 0)
    monkeypatch.setitem(database, "OPTIONS", {"pool": {"min_size": 1, "max_size": 2, "timeout": 0.5}})

    def ten(request, context):
        for _ in range(10):
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
            yield echo.Text()
            time.sleep(0.1)  # as if the reader were slow

    def count(stub):
        return len(list(stub.Stream(echo.Text(), metadata=echo.bearer())))

    act(ten)
    with serving(threads=6) as address, grpc.insecure_channel(address) as channel, ThreadPoolExecutor(6) as readers:
        counts = list(readers.map(count, [echo.Stub(channel)] * 6))
    connections.create_connection("default").close_pool()

    assert counts == [10] * 6


def test_a_method_without_a_rule_keeps_the_server_from_starting():
    class Careless(Service, echo.EchoServiceServicer):
        @allow(anyone)
        def Read(self, request, context):
            return request

    with pytest.raises(ImproperlyConfigured, match=r"Careless\.Write must be written, and say who may call it"):
        Careless.as_servicer()


def test_a_handler_that_never_met_a_rule_lets_nobody_in():
    def register(server):
        handler = grpc.unary_unary_rpc_method_handler(echo.unchanged, echo.Text.FromString, echo.Text.SerializeToString)
        server.add_registered_method_handlers(echo.NAME, {"Write": handler})

    with testing.serving(register, echo.chain()) as address, grpc.insecure_channel(address) as channel:
        error = failure(echo.Stub(channel).Write, echo.Text(), metadata=echo.bearer())

    assert error.code() is grpc.StatusCode.PERMISSION_DENIED
