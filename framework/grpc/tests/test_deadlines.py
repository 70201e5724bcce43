"""Work for nobody stops."""

import os
import threading
import time

import grpc
import pytest
from django.db import connection, connections, transaction

from framework import context
from framework.errors import DeadlineExceeded
from framework.grpc.tests import echo
from framework.grpc.tests.conftest import serving

pytestmark = pytest.mark.django_db(transaction=True)

SLOW = {
    "postgresql": "SELECT pg_sleep(20)",
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1e10) SELECT count(*) FROM n",
}


class Slow:
    """A handler with a query of many seconds that tells when it ended, and how."""

    def __init__(self):
        self.began = threading.Event()
        self.ended = threading.Event()
        self.error = None

    def __call__(self, request, context):
        try:
            with connection.cursor() as cursor:
                self.began.set()
                cursor.execute(SLOW[connection.vendor])
        except Exception as error:
            self.error = error
            raise
        finally:
            self.ended.set()
        return request


@pytest.fixture
def slow(act):
    handler = Slow()
    act(handler)
    return handler


def test_a_query_ends_with_the_clients_deadline(slow):
    with serving() as address, grpc.insecure_channel(address) as channel:
        started = time.monotonic()
        with pytest.raises(grpc.RpcError) as failed:
            echo.Stub(channel).Write(echo.Text(), metadata=echo.bearer(), timeout=0.3)

        assert failed.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        assert slow.ended.wait(5)
        assert time.monotonic() - started < 0.3 + 0.2
        assert isinstance(slow.error, DeadlineExceeded)


def test_a_query_ends_with_the_default_deadline(slow):
    with serving(echo.chain(deadline=0.3)) as address, grpc.insecure_channel(address) as channel:
        started = time.monotonic()
        with pytest.raises(grpc.RpcError) as failed:
            echo.Stub(channel).Write(echo.Text(), metadata=echo.bearer())

        assert failed.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        assert time.monotonic() - started < 0.3 + 0.2


def test_a_query_ends_when_the_client_cancels(slow):
    with serving() as address, grpc.insecure_channel(address) as channel:
        future = echo.Stub(channel).Write.future(echo.Text(), metadata=echo.bearer())
        assert slow.began.wait(5)
        time.sleep(0.05)
        cancelled = time.monotonic()
        future.cancel()

        assert slow.ended.wait(5)
        assert time.monotonic() - cancelled < 0.2


def test_the_connection_serves_the_next_call_after_a_cancelled_query(slow, act):
    with serving(threads=1) as address, grpc.insecure_channel(address) as channel:
        stub = echo.Stub(channel)
        with pytest.raises(grpc.RpcError):
            stub.Write(echo.Text(), metadata=echo.bearer(), timeout=0.2)
        slow.ended.wait(5)

        def count(request, context):
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SELECT 41 + 1")
                return echo.Text(text=str(cursor.fetchone()[0]))

        act(count)
        answers = {stub.Write(echo.Text(), metadata=echo.bearer()).text for _ in range(50)}

    assert answers == {"42"}


def test_no_query_begins_after_the_deadline(act):
    queries, ended = [], threading.Event()

    def many(request, context):
        try:
            while True:
                with connection.cursor() as cursor:
                    cursor.execute("SELECT 1")
                queries.append(time.monotonic())
                time.sleep(0.02)
        finally:
            ended.set()

    act(many)
    with serving() as address, grpc.insecure_channel(address) as channel:
        started = time.monotonic()
        with pytest.raises(grpc.RpcError):
            echo.Stub(channel).Write(echo.Text(), metadata=echo.bearer(), timeout=0.3)
        assert ended.wait(5)

    assert 0 < queries[-1] - started < 0.3 + 0.05


def test_a_stream_nobody_reads_any_more_stops(act):
    sent, ended = [], threading.Event()

    def endless(request, context):
        try:
            while True:
                sent.append(True)
                yield echo.Text(text="x" * 1000)
        finally:
            ended.set()

    act(endless)
    with serving() as address, grpc.insecure_channel(address) as channel:
        responses = echo.Stub(channel).Stream(echo.Text(), metadata=echo.bearer())
        next(responses)
        responses.cancel()

        assert ended.wait(0.5)


def test_an_expired_call_does_not_reach_the_handler(act):
    reached = []
    act(lambda request, call: reached.append(context.seconds_left()))
    with (
        serving(echo.chain(deadline=-1.0)) as address,
        grpc.insecure_channel(address) as channel,
        pytest.raises(grpc.RpcError) as failed,
    ):
        echo.Stub(channel).Write(echo.Text(), metadata=echo.bearer())

    assert failed.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert reached == []


def slow_query():
    with connection.cursor() as cursor:
        cursor.execute(SLOW[connection.vendor])


def test_a_part_has_no_more_time_than_the_work():
    with context.within(0.1), context.within(60), pytest.raises(DeadlineExceeded):
        slow_query()


def test_a_part_has_its_own_time():
    with context.within(60):
        with context.within(0.1), pytest.raises(DeadlineExceeded):
            slow_query()
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")


def test_after_a_part_the_work_is_watched_as_before():
    with context.within(0.1):
        with context.within(60):
            pass
        with pytest.raises(DeadlineExceeded):
            slow_query()


def test_a_part_ends_when_the_client_of_the_work_leaves():
    class Gone:
        def is_active(self):
            return False

    context.begin("test", seconds=60, client=Gone())
    with context.within(60), pytest.raises(DeadlineExceeded):
        slow_query()


def test_what_became_of_the_work_is_written_down_after_its_end():
    with context.within(-1):
        with context.shielded(), connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        with pytest.raises(DeadlineExceeded), connection.cursor() as cursor:
            cursor.execute("SELECT 1")


def test_a_connection_that_comes_later_in_any_thread_is_guarded():
    found = []

    def ask():
        try:
            with context.within(0.1):
                connections["default"].close()  # and opened again by the query
                slow_query()
        except DeadlineExceeded as error:
            found.append(error)
        finally:
            connections["default"].close()

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(found) == 2


def test_a_forked_process_has_a_watchdog_of_its_own():
    with context.within(60):  # so that this process has one
        child = os.fork()
        if child == 0:
            doomed = context.begin("test", seconds=0.1)
            doomed.enter_query(lambda: os._exit(0))
            time.sleep(10)
            os._exit(1)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
