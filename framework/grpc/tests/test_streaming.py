"""Streams: as fast as their reader, in bounded memory, and in nobody's way."""

import threading
import time

import grpc
import pytest

from framework.grpc.auth import Authenticator
from framework.grpc.interceptors import Chain
from framework.grpc.tests import probe
from framework.grpc.tokens import parse_tokens
from framework.testing.grpc import serving

BLOCK = probe.Text(text="x" * 65536)


def chain(streams=1):
    return Chain(Authenticator(parse_tokens(f"shop:{probe.TOKEN}")), 30, streams=streams)


@pytest.fixture
def stub():
    """The probe, served by one thread for calls and one for streams."""
    with serving(probe.register, chain(), threads=1) as address, grpc.insecure_channel(address) as channel:
        yield probe.Stub(channel)


@pytest.fixture
def endless(monkeypatch):
    """The probe's stream: blocks without end. Yields a list that grows with each, and an event for its end."""
    made, closed = [], threading.Event()

    def act(request, context):
        return blocks() if request.text == "stream" else request

    def blocks():
        try:
            while True:
                made.append(1)
                yield BLOCK
        finally:
            closed.set()

    monkeypatch.setattr(probe.ProbeService, "act", staticmethod(act))
    return made, closed


def open_stream(stub, **options):
    return stub.Stream(probe.Text(text="stream"), metadata=probe.bearer(), **options)


def settled(made, seconds=10):
    """How many were made, once no more are."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        before = len(made)
        time.sleep(0.3)
        if before and len(made) == before:
            return before
    raise AssertionError(f"{len(made)} made, and still going")


def test_a_reader_that_stops_reading_stops_the_server(stub, endless):
    made, _ = endless
    stream = open_stream(stub)
    next(stream)

    assert settled(made) * len(BLOCK.text) < 128 << 20  # what the network buffers differs; endless it is not
    for _ in range(settled(made)):
        next(stream)
    stream.cancel()


def test_a_client_that_leaves_ends_the_work(stub, endless):
    made, closed = endless
    stream = open_stream(stub)
    next(stream)
    stream.cancel()

    assert closed.wait(2)
    assert settled(made) == len(made)


def test_a_stream_that_nobody_reads_ends_at_its_deadline(stub, endless):
    _, closed = endless
    stream = open_stream(stub, timeout=0.5)
    next(stream)

    assert closed.wait(2)


def test_a_stream_does_not_keep_short_calls_waiting(stub, endless):
    made, _ = endless
    stream = open_stream(stub)
    next(stream)
    settled(made)

    assert stub.Write(probe.Text(text="hello"), metadata=probe.bearer(), timeout=2).text == "hello"
    stream.cancel()


def test_a_stream_beyond_the_last_thread_waits_for_its_turn(stub, endless):
    first = open_stream(stub)
    next(first)  # so that it is the first
    second = open_stream(stub)
    threading.Timer(0.3, first.cancel).start()

    assert next(second) == BLOCK
    second.cancel()
