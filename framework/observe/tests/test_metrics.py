"""What Prometheus is told."""

import json
import math
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from datetime import timedelta

import prometheus_client
import pytest
from celery import current_app as app
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import OperationalError
from django.utils import timezone

from framework import context
from framework.context import unit
from framework.observe import collectors, exporter, metrics
from framework.queue import liveness, table
from framework.testing.servers import free_port
from framework.tests.library.factories import UserFactory


@pytest.fixture
def counted(monkeypatch):
    """How much a series has grown since the test began."""
    monkeypatch.setattr(unit, "listeners", [metrics.count])
    monkeypatch.setattr(metrics, "names", metrics.Names(after=1))
    registry = prometheus_client.REGISTRY
    before = {(s.name, *sorted(s.labels.items())): s.value for family in registry.collect() for s in family.samples}

    def grown(name, **labels):
        value = registry.get_sample_value(name, labels)
        return None if value is None else value - before.get((name, *sorted(labels.items())), 0)

    return grown


@pytest.mark.django_db
def test_a_request_is_counted_under_its_operation_once_that_is_known(graphql, counted):
    page = graphql().login(UserFactory())
    for _ in range(3):
        page("query One { me { id } }")
    graphql()('mutation One { addBook(title: "") { book { id } } }')
    page("{ nothing }")

    assert counted("graphql_requests_total", operation="(other)", code="OK") == 1
    assert counted("graphql_requests_total", operation="One", code="OK") == 2
    assert counted("graphql_requests_total", operation="One", code="UNAUTHENTICATED") == 1
    assert counted("graphql_requests_total", operation="(refused)", code="GRAPHQL_VALIDATION_FAILED") == 1
    assert counted("graphql_request_seconds_count", operation="One") == 3
    assert counted("graphql_cost_sum") == 3 * 1 + 51
    assert counted("sql_queries_total", transport="graphql") == 3 * 3 + 2  # a refused document has a user, too


@pytest.mark.django_db
def test_pages_are_counted_by_route(client, counted):
    client.get("/admin/", headers={"host": "localhost"})
    client.get("/canary@example.com", headers={"host": "localhost"})

    assert counted("web_requests_total", route="admin:index", code="OK") == 1
    assert counted("web_requests_total", route="unknown", code="HTTP_404") == 1


@pytest.mark.parametrize(
    ("transport", "label", "series"), [("grpc", "method", "grpc_calls_total"), ("task", "task", "tasks_total")]
)
def test_calls_and_tasks_are_counted_by_name_and_code(counted, transport, label, series):
    record = context.UnitOfWork()
    record.transport, record.name = transport, "a"
    record.code = "NOT_FOUND"
    metrics.count(record, 0.2)

    assert counted(series, **{label: "a", "code": "NOT_FOUND"}) == 1


def test_names_that_nobody_uses_again_make_no_series():
    names = metrics.Names(most=2, after=3, candidates=50)
    flood = {names.label(f"Canary{number}") for number in range(1000)}
    used = [names.label("Cart") for _ in range(4)]
    others = [names.label(name) for name in ("Home", "Third") for _ in range(4)]

    assert flood == {"(other)"}
    assert used == ["(other)", "(other)", "(other)", "Cart"]
    assert others == ["(other)", "(other)", "(other)", "Home", *["(other)"] * 4]
    assert names.label("(refused)") == "(refused)"


def test_the_pool_is_looked_at_once_a_second(monkeypatch, counted):
    class Pool:
        asked = 0

        def get_stats(self):
            Pool.asked += 1
            return {"pool_size": 4, "pool_available": 1, "requests_waiting": 2}

    both = [type("Connection", (), {"pool": Pool()}), type("Replica", (), {"pool": Pool()}), object()]
    monkeypatch.setattr(metrics, "connections", type("Connections", (), {"all": lambda: both}))
    monkeypatch.setattr(metrics, "_next_look", 0)
    unit = context.UnitOfWork()
    unit.transport = "task"
    for _ in range(3):
        metrics.count(unit, 0)

    assert Pool.asked == 2  # each once
    value = prometheus_client.REGISTRY.get_sample_value
    assert value("database_pool_connections", {"state": "used"}) == 6
    assert value("database_pool_connections", {"state": "idle"}) == 2
    assert value("database_pool_waiting") == 4


@pytest.fixture
def shared(monkeypatch):
    monkeypatch.setattr(collectors.connections, "close_all", lambda: None)
    found = prometheus_client.CollectorRegistry()
    found.register(collectors.Shared())
    return found.get_sample_value


@pytest.mark.django_db
def test_the_relay_tells_of_the_queue(shared):
    table.enqueue("1", "t", [], {}, {}, timezone.now() - timedelta(seconds=90))
    liveness.record_heartbeat("beat")

    assert shared("queue_rows", {"state": "due"}) == 1
    assert shared("queue_rows", {"state": "failed"}) == 0
    assert shared("queue_oldest_due_seconds") == pytest.approx(90, abs=5)
    assert shared("heartbeat_age_seconds", {"part": "beat"}) == pytest.approx(0, abs=5)
    slug = app.conf.task_default_queue
    assert None not in [shared("broker_messages", {"queue": name}) for name in (slug, f"{slug}-bulk")]


@pytest.mark.django_db
def test_the_relay_tells_how_old_the_replica_is(shared, settings, monkeypatch):
    ages = {"default": {"beat": 1.0}, "replica": {"beat": 70.0, "relay": 65.0}}
    monkeypatch.setitem(settings.DATABASES, "replica", {})
    monkeypatch.setattr(liveness, "heartbeat_ages", lambda database="default": ages[database])
    assert shared("heartbeat_age_seconds", {"part": "replica"}) == 65

    def refuse(database="default"):
        if database == "replica":
            raise OperationalError
        return ages[database]

    monkeypatch.setattr(liveness, "heartbeat_ages", refuse)
    assert shared("heartbeat_age_seconds", {"part": "replica"}) == math.inf
    assert shared("heartbeat_age_seconds", {"part": "beat"}) == 1


@pytest.mark.django_db
def test_a_broker_that_is_down_is_left_out(shared, settings):
    settings.CELERY_BROKER_URL = "redis://127.0.0.1:1/0"

    assert shared("broker_messages", {"queue": app.conf.task_default_queue}) is None
    assert shared("queue_rows", {"state": "due"}) == 0


WORKED = """
from framework.observe import metrics
metrics.TASKS.labels("t", "OK").inc(3)
metrics.TASK_TIME.labels("t").observe(0.2)
metrics.POOL.labels("used").set(7)
"""


def test_what_ended_processes_have_counted_is_kept_in_one_file(tmp_path, monkeypatch):
    monkeypatch.setenv(exporter.DIRECTORY, str(tmp_path))
    processes = collectors.Processes()

    def work():
        subprocess.run([sys.executable, "-c", WORKED], check=True)

    def told():
        samples = {s.name: s.value for family in processes.collect() for s in family.samples}
        return [samples.get(name) for name in ("tasks_total", "task_seconds_count", "database_pool_connections")]

    for number in range(1, 4):
        work()
        assert len(list(tmp_path.glob("counter_*.db"))) == (1 if number == 1 else 2)
        assert told() == told() == [3 * number, number, None]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["counter_ended.db", "histogram_ended.db"]


def test_each_role_has_a_port_of_its_own(settings):
    settings.METRICS_PORT = 9100
    assert [exporter.port(role) for role in exporter.ROLES] == [9100, 9101, 9102, 9103]
    settings.METRICS_PORT = 0
    assert {exporter.port(role) for role in exporter.ROLES} == {0}


def test_a_port_that_is_taken_is_named(settings, monkeypatch, tmp_path):
    def refuse(*_):
        raise OSError(98, "Address already in use")

    settings.METRICS_PORT = 9100
    monkeypatch.setenv(exporter.DIRECTORY, str(tmp_path))
    monkeypatch.setattr(unit, "listeners", [])
    monkeypatch.setattr(collectors, "serve", refuse)
    with pytest.raises(ImproperlyConfigured, match="grpc cannot be at port 9101"):
        exporter.start("grpc")


def test_off_costs_no_import():
    program = (
        "import django, sys; django.setup(); import framework.web.gunicorn, framework.tests.urls; print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    # redis imports OpenTelemetry's metrics by itself, where that is installed.
    unwanted = ("prometheus_client", "opentelemetry.sdk.trace", "opentelemetry.exporter", "sentry_sdk")
    assert [name for name in unwanted if name in done.stdout.split()] == []


def test_the_workers_of_a_web_server_are_counted_together(tmp_path):
    """Real processes: two workers, one of them replaced, one port."""
    port, first = free_port(), free_port()
    environ = {
        **os.environ,
        "PORT": str(port),
        "METRICS_PORT": str(first),
        "WEB_WORKERS": "2",
        "RELEASE": "v7",
        "TMPDIR": str(tmp_path),
        "DATA_DIR": str(tmp_path),
        "DEBUG": "0",
    }
    command = [sys.executable, "-m", "gunicorn", "-c", "python:framework.web.gunicorn", "framework.tests.wsgi"]
    with subprocess.Popen(command, env=environ, cwd=settings.BASE_DIR, stderr=subprocess.DEVNULL) as server:
        try:
            seen = set()
            for number in range(1, 9):
                ask(port)
                seen.update(file.name for file in tmp_path.glob("metrics-*/counter_*.db"))
                if number == 4:
                    os.kill(int(next(iter(seen)).split("_")[1].removesuffix(".db")), signal.SIGTERM)
                    time.sleep(0.5)
            told = read(first)
        finally:
            server.terminate()

    assert re.findall(r"^graphql_requests_total\{.*\} (.*)$", told, re.M) == ["8.0"]
    assert 'app_release{release="v7"} 1.0' in told
    assert "heartbeat_age_seconds" not in told  # the relay's to tell
    assert list(tmp_path.glob("metrics-*")) == []


def ask(port: int) -> None:
    body = json.dumps({"query": "{ __typename }"}).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{port}/graphql", body, {"Content-Type": "application/json"})
    end = time.monotonic() + 60
    while True:
        try:
            urllib.request.urlopen(request, timeout=60).close()
        except urllib.error.URLError as error:
            # What was heard must not be sent again: it is counted.
            if not isinstance(error.reason, ConnectionRefusedError) or time.monotonic() > end:
                raise
            time.sleep(0.1)
        else:
            return


def read(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        return answer.read().decode()
