import json
import signal
import subprocess
import sys
import time

import grpc
import pytest

from framework import context, errors
from framework.actor import NOBODY, SYSTEM, Actor
from framework.grpc.channel import Channel, service_config
from framework.grpc.tests import echo
from framework.grpc.tests.conftest import serving


@pytest.fixture
def remote(address):
    """The echo service as a domain's client calls it."""
    with Channel(f"grpc://{address}", echo.DESCRIPTOR, token=echo.TOKEN) as channel:
        yield echo.Stub(channel)


@pytest.fixture(autouse=True)
def _work_of_its_own():
    context.begin("test")
    yield
    context.begin("test")


@pytest.mark.parametrize("error_class", errors.BY_CODE.values(), ids=lambda error: error.code)
@pytest.mark.parametrize("method", ["Write", "Stream"])
def test_an_error_comes_back_as_the_callee_raised_it(remote, act, method, error_class):
    def fail(request, context):
        raise error_class("No.", fields={"sku": "taken"}, reason="TAKEN")

    act(fail)
    context.set_actor(SYSTEM)
    with pytest.raises(error_class) as failed:
        list(getattr(remote, method)(echo.Text()))

    assert (failed.value.message, failed.value.fields, failed.value.reason) == ("No.", {"sku": "taken"}, "TAKEN")


def test_a_fault_of_the_callee_stays_one(remote, act):
    act(lambda request, context: 1 / 0)

    with pytest.raises(grpc.RpcError) as failed:
        remote.Write(echo.Text())

    assert failed.value.code() is grpc.StatusCode.INTERNAL


@pytest.mark.parametrize(
    ("caller", "seen"),
    [
        (SYSTEM, Actor(service="shop")),
        (NOBODY, Actor(service="shop", for_visitor=True)),
        (Actor(user_id=7), Actor(7, False, "shop")),
        (Actor(user_id=8, is_staff=True), Actor(8, True, "shop")),
        (Actor(user_id=9, service="other"), Actor(9, False, "shop")),
        (Actor(service="other", for_visitor=True), Actor(service="shop", for_visitor=True)),
    ],
    ids=str,
)
def test_the_callee_knows_on_whose_behalf_it_is_called(remote, act, caller, seen):
    act(lambda request, call: echo.Text(text=repr(context.actor())))
    context.set_actor(caller)

    assert remote.Write(echo.Text()).text == repr(seen)


@pytest.mark.parametrize("caller", [NOBODY, Actor(user_id=7)], ids=str)
def test_without_a_token_nobody_gets_the_rights_of_a_certificate(caller):
    context.set_actor(caller)
    metadata = dict(Channel("grpc://local:1", echo.DESCRIPTOR).metadata(echo.WRITE))

    assert metadata.keys() == {"x-request-id", "x-fresh", "x-actor"}  # the last is refused without a token


def test_the_request_id_travels_along(remote, act):
    act(lambda request, call: echo.Text(text=context.request_id()))
    context.begin("test", request_id="the-same-id")

    assert remote.Write(echo.Text()).text == "the-same-id"


def test_the_callee_gets_no_more_time_than_the_caller_has(remote, act):
    act(lambda request, call: echo.Text(text=str(context.seconds_left())))

    assert 9 < float(remote.Write(echo.Text()).text) < 10.1
    context.begin("test", seconds=3)
    assert 2 < float(remote.Write(echo.Text()).text) < 3.1
    assert 1 < float(remote.Write(echo.Text(), timeout=2).text) < 2.1


def test_without_time_left_there_is_no_call(remote, act):
    called = []
    act(lambda request, context: called.append(request))
    context.begin("test", seconds=-1)

    with pytest.raises(errors.DeadlineExceeded):
        remote.Write(echo.Text())

    assert called == []


def test_a_stream_arrives_whole(remote, act):
    act(lambda request, context: (echo.Text(text=str(number)) for number in range(100)))

    assert [response.text for response in remote.Stream(echo.Text())] == [str(number) for number in range(100)]


def test_a_callee_that_is_down_is_unavailable():
    channel = Channel("grpc://127.0.0.1:1", echo.DESCRIPTOR)

    with pytest.raises(errors.Unavailable) as failed:
        echo.Stub(channel).Write(echo.Text())

    assert failed.value.message == "echo does not answer now. Try again later."


def test_a_callee_that_is_too_slow_exceeds_the_deadline(act):
    act(lambda request, context: time.sleep(0.5) or request)
    with (
        serving() as address,
        Channel(f"grpc://{address}", echo.DESCRIPTOR, token=echo.TOKEN) as channel,
        pytest.raises(errors.DeadlineExceeded) as failed,
    ):
        echo.Stub(channel).Write(echo.Text(), timeout=0.1)

    assert failed.value.message == "echo did not answer in time."


class FailsTwice:
    def __init__(self):
        self.attempts = 0

    def __call__(self, request, context):
        self.attempts += 1
        if self.attempts <= 2:
            raise errors.Unavailable("Not now.")
        return request


@pytest.mark.parametrize("actor", [SYSTEM, Actor(user_id=7)], ids=str)
def test_an_idempotent_method_is_tried_again(act, actor):
    handler = FailsTwice()
    act(handler)
    context.set_actor(actor)
    with serving() as address, Channel(f"grpc://{address}", echo.DESCRIPTOR, token=echo.TOKEN) as channel:
        assert echo.Stub(channel).Read(echo.Text(text="a")).text == "a"

    assert handler.attempts == 3


def test_other_methods_are_not_tried_again(act):
    handler = FailsTwice()
    act(handler)
    with (
        serving() as address,
        Channel(f"grpc://{address}", echo.DESCRIPTOR, token=echo.TOKEN) as channel,
        pytest.raises(errors.Unavailable),
    ):
        echo.Stub(channel).Write(echo.Text())

    assert handler.attempts == 1


def test_nothing_is_tried_again_while_most_calls_fail(act):
    attempts = []

    def fail(request, context):
        attempts.append(1)
        raise errors.Unavailable("Not now.")

    act(fail)
    config = service_config(echo.DESCRIPTOR).replace('"0.1s"', '"0.01s"').replace('"2s"', '"0.01s"')
    with serving() as address:
        options = [("grpc.service_config", config)]
        network = grpc.insecure_channel(address, options)
        channel = Channel(f"grpc://{address}", echo.DESCRIPTOR, token=echo.TOKEN, connect=lambda: network)
        for _ in range(30):
            with pytest.raises(errors.Unavailable):
                echo.Stub(channel).Read(echo.Text())
        channel.close()

    assert len(attempts) == 12 * 4 + 2 + 17  # half of the 100 tokens is gone in the 13th call


@pytest.fixture
def callee():
    """A process that serves the echo; its address stands in its first line."""
    program = "import django; django.setup()\nfrom framework.grpc.tests.conftest import serving\n"
    program += "with serving() as address: print(address, flush=True); input()"
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


def test_a_callee_that_hangs_is_given_up_until_it_answers_again(callee, monkeypatch):
    for name in ("PING_AFTER", "PING_TIMEOUT", "RECONNECT_WITHIN"):
        monkeypatch.setattr(f"framework.grpc.channel.{name}", 0.2)
    address = callee.stdout.readline().strip()
    with Channel(f"grpc://{address}", echo.DESCRIPTOR, token=echo.TOKEN, deadline=30) as channel:
        write = echo.Stub(channel).Write
        assert write(echo.Text(text="a")).text == "a"
        callee.send_signal(signal.SIGSTOP)
        for _ in range(3):  # neither the call under way nor those after it wait for their deadline
            with pytest.raises(errors.Unavailable):
                write(echo.Text())
        callee.send_signal(signal.SIGCONT)
        grpc.channel_ready_future(channel.connection()).result(timeout=20)
        assert write(echo.Text(text="b")).text == "b"


def test_only_what_the_contract_calls_idempotent_is_in_the_retry_policy():
    (policy,) = json.loads(service_config(echo.DESCRIPTOR))["methodConfig"]

    assert policy["name"] == [{"service": echo.NAME, "method": name} for name in ("Read", "Stream")]
    assert policy["retryPolicy"]["retryableStatusCodes"] == ["UNAVAILABLE"]


@pytest.mark.parametrize("url", ["catalog:50051", "http://catalog:50051", "grpc://catalog", "grpc://:50051", ""])
def test_another_kind_of_url_is_refused(url):
    with pytest.raises(ValueError, match="is not grpc://host:port"):
        Channel(url, echo.DESCRIPTOR)


def test_a_channel_made_and_used_before_a_fork_works_on_both_sides():
    with serving() as address:
        program = f"""
import os, sys
from framework.grpc.tests import echo
from framework.grpc.channel import Channel
stub = echo.Stub(Channel("grpc://{address}", echo.DESCRIPTOR, token={echo.TOKEN!r}))
assert stub.Write(echo.Text(text="parent")).text == "parent"
child = os.fork()
if child == 0:
    os._exit(0 if stub.Write(echo.Text(text="child")).text == "child" else 1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert stub.Write(echo.Text(text="parent")).text == "parent"
"""
        done = subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            timeout=30,
        )

    assert done.returncode == 0, done.stderr


def test_the_clients_side_needs_no_django():
    program = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("django", "structlog", "grpc_status", "django_grpc_framework"):
            raise ImportError(name)
sys.meta_path.insert(0, Refuse())
import framework.grpc.channel, framework.grpc.convert, framework.grpc.errors
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30)

    assert done.returncode == 0, done.stderr
