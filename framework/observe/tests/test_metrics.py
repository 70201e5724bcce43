"""What Prometheus is told, and that the dashboard and the alerts ask for nothing else."""

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
import yaml
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import OperationalError
from django.utils import timezone

from apps.accounts.tests.factories import UserFactory
from framework import context
from framework.context import unit
from framework.observe import collectors, exporter, metrics
from framework.queue import heartbeat, state
from framework.queue import table as queue
from framework.testing.plugin import free_port

DEPLOY = settings.BASE_DIR / "deploy"
DASHBOARD = DEPLOY / "grafana" / "backend.json"
ALERTS = DEPLOY / "prometheus" / "alerts.yml"


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
    graphql()('mutation One { changePassword(oldPassword: "", newPassword: "") { user { id } } }')
    page("{ nothing }")

    assert counted("graphql_requests_total", operation="(other)", code="OK") == 1
    assert counted("graphql_requests_total", operation="One", code="OK") == 2
    assert counted("graphql_requests_total", operation="One", code="UNAUTHENTICATED") == 1
    assert counted("graphql_requests_total", operation="(refused)", code="GRAPHQL_VALIDATION_FAILED") == 1
    assert counted("graphql_request_seconds_count", operation="One") == 3
    assert counted("graphql_cost_sum") == 3 * 1 + 51
    assert counted("sql_queries_total", transport="graphql") == 3 * 3


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
    queue.enqueue("1", "t", [], {}, {}, timezone.now() - timedelta(seconds=90))
    heartbeat.note("beat")

    assert shared("queue_rows", {"state": "due"}) == 1
    assert shared("queue_rows", {"state": "parked"}) == 0
    assert shared("queue_oldest_due_seconds") == pytest.approx(90, abs=5)
    assert shared("heartbeat_age_seconds", {"part": "beat"}) == pytest.approx(0, abs=5)
    assert shared("broker_messages") is not None


@pytest.mark.django_db
def test_the_relay_tells_how_old_the_replica_is(shared, settings, monkeypatch):
    ages = {"default": {"beat": 1.0}, "replica": {"beat": 70.0, "relay": 65.0}}
    monkeypatch.setitem(settings.DATABASES, "replica", {})
    monkeypatch.setattr(state, "heartbeat_ages", lambda database="default": ages[database])
    assert shared("heartbeat_age_seconds", {"part": "replica"}) == 65

    def refuse(database="default"):
        if database == "replica":
            raise OperationalError
        return ages[database]

    monkeypatch.setattr(state, "heartbeat_ages", refuse)
    assert shared("heartbeat_age_seconds", {"part": "replica"}) == math.inf
    assert shared("heartbeat_age_seconds", {"part": "beat"}) == 1


@pytest.mark.django_db
def test_a_broker_that_is_down_is_left_out(shared, settings):
    settings.CELERY_BROKER_URL = "redis://127.0.0.1:1/0"

    assert shared("broker_messages") is None
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
        environ = {**os.environ, "DJANGO_SETTINGS_MODULE": "project.settings"}
        subprocess.run([sys.executable, "-c", WORKED], env=environ, check=True)

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
        "import django, sys; django.setup(); import framework.web.gunicorn, project.urls; print(sorted(sys.modules))"
    )
    environ = {**os.environ, "DJANGO_SETTINGS_MODULE": "project.settings"}
    done = subprocess.run([sys.executable, "-c", program], env=environ, capture_output=True, text=True, check=True)

    # redis imports OpenTelemetry's metrics by itself, where that is installed.
    unwanted = ("prometheus_client", "opentelemetry.sdk.trace", "opentelemetry.exporter", "sentry_sdk")
    assert [name for name in unwanted if f"'{name}'" in done.stdout] == []


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
        "SECRET_KEY": "0123456789" * 6,
        "ALLOWED_HOSTS": "127.0.0.1",
        "ALLOW_SQLITE": "1",
        "SECURE_COOKIES": "0",
    }
    command = [sys.executable, "-m", "gunicorn", "-c", "python:framework.web.gunicorn", "project.wsgi"]
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


def known_series() -> set[str]:
    """All that a process of ours can tell, under the names that Prometheus stores."""
    found = {"up"}
    for family in [*prometheus_client.REGISTRY.collect(), *collectors.Release().collect()]:
        suffixes = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}.get(family.type, ("",))
        found |= {family.name + suffix for suffix in suffixes}
    return found | {"queue_rows", "queue_oldest_due_seconds", "heartbeat_age_seconds", "broker_messages"}


def series_in(expression: str) -> set[str]:
    """The names in a query that are followed by a selector or a range: no function, no label."""
    outside = re.sub(r"\{[^}]*\}", "{}", expression)
    outside = re.sub(r"\b(by|without|on|ignoring|group_left)\s*\([^)]*\)", "", outside)
    words = set(re.findall(r"[a-z_]\w*(?!\w|\s*\()", outside)) - {"and", "or", "unless", "by", "m", "s", "h", "bool"}
    return {word for word in words if not re.fullmatch(r"\$?__\w+|\d\w*", word)}


def alerts():
    (group,) = yaml.safe_load(ALERTS.read_text())["groups"]
    return group["rules"]


def panels():
    return [panel for panel in json.loads(DASHBOARD.read_text())["panels"] if panel["type"] != "row"]


def test_every_alert_has_what_its_reader_needs():
    for rule in alerts():
        assert rule.keys() == {"alert", "expr", "for", "labels", "annotations"}, rule
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert re.fullmatch(r"\d+[smh]", rule["for"])
        assert rule["annotations"].keys() == {"summary"}


def test_every_alert_stands_in_the_runbook():
    runbook = (settings.BASE_DIR / "docs" / "operate.md").read_text()

    assert [rule["alert"] for rule in alerts() if f"### {rule['alert']}\n" not in runbook] == []
    assert sorted(re.findall(r"^### ([A-Z]\w+)$", runbook, re.M)) == sorted(rule["alert"] for rule in alerts())


def test_every_panel_asks_something_and_has_a_place():
    assert len({panel["id"] for panel in panels()}) == len(panels()) >= 10
    for panel in panels():
        assert panel["title"]
        assert panel["targets"]
        assert panel["gridPos"].keys() == {"h", "w", "x", "y"}


def test_every_metric_that_is_asked_for_exists():
    asked = [rule["expr"] for rule in alerts()]
    asked += [target["expr"] for panel in panels() for target in panel["targets"]]

    assert all(series_in(query) for query in asked)
    assert set().union(*map(series_in, asked)) - known_series() == set()


def test_every_metric_is_on_the_dashboard():
    shown = set().union(*(series_in(target["expr"]) for panel in panels() for target in panel["targets"]))
    ours = {name for name in known_series() if not name.startswith(("python_", "process_")) and name != "up"}

    assert {re.sub("_(bucket|sum|count)$", "", name) for name in ours} - {
        re.sub("_(bucket|sum|count)$", "", name) for name in shown
    } == set()
