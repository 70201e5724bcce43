"""Traces from the browser to the task, and error reports."""

import json
import threading
import timeit
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from celery import shared_task
from django.db import connection
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import StatusCode
from pydantic_settings import BaseSettings
from sentry_sdk.transport import Transport
from structlog import get_logger

from framework import context, env
from framework.context import trace
from framework.grpc.channel import Channel
from framework.grpc.tests import echo
from framework.observe import logs, tracing
from framework.observe import sentry as reports
from framework.testing.grpc import serving
from framework.tests.library.factories import UserFactory

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
TRACE = int(PARENT.split("-")[1], 16)


@pytest.mark.django_db
def test_an_operation_and_its_queries_are_in_the_trace_of_the_browser(graphql, spans):
    page = graphql().login(UserFactory())
    page.client.defaults["HTTP_TRACEPARENT"] = PARENT
    spans.clear()
    page.data("query Mine { me { id } }")

    operation = spans.named("graphql Mine")
    assert {span.context.trace_id for span in spans.get_finished_spans()} == {TRACE}
    assert spans.inside(operation)[-1] == "SELECT"
    assert operation.attributes["code"] == "OK"
    assert operation.attributes["request_id"] == page.last["X-Request-ID"]


@shared_task(name="test.trace")
def traced_task() -> None:
    UserFactory._meta.model.objects.count()


@pytest.mark.django_db
def test_a_task_is_in_the_trace_of_what_queued_it(spans, run_queued_tasks):
    with trace.span("queues"):
        traced_task.delay()
    run_queued_tasks()

    caller, task = spans.named("queues"), spans.named("task test.trace")
    assert task.parent.span_id == caller.context.span_id
    assert task.context.trace_id == caller.context.trace_id
    assert "SELECT" in spans.inside(task)


@pytest.mark.django_db(transaction=True)
def test_a_call_and_its_callee_are_one_trace(spans):
    with (
        serving(echo.register, echo.chain()) as address,
        Channel(f"grpc://{address}", echo.DESCRIPTOR, token=echo.TOKEN) as channel,
        trace.span("caller"),
    ):
        echo.Stub(channel).Write(echo.Text())

    client = spans.named(f"{echo.NAME}/Write")
    server = spans.named(f"grpc /{echo.NAME}/Write")
    assert client.parent.span_id == spans.named("caller").context.span_id
    assert server.parent.span_id == client.context.span_id
    assert server.attributes["code"] == "OK"


@pytest.mark.django_db
def test_no_value_of_a_query_and_no_word_of_an_error_is_in_a_trace(spans):
    with trace.span("failing"), pytest.raises(ValueError, match="canary"), trace.span("inner"):
        with connection.cursor() as cursor:
            cursor.execute("SELECT %s", ["canary"])
        raise ValueError("canary")

    assert spans.named("inner").status.status_code is StatusCode.ERROR
    assert spans.named("SELECT").attributes["db.query.text"] == "SELECT %s"
    assert "canary" not in "".join(span.to_json() for span in spans.get_finished_spans())


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("OK", StatusCode.UNSET),
        ("NOT_FOUND", StatusCode.UNSET),
        ("HTTP_404", StatusCode.UNSET),
        ("HTTP_503", StatusCode.ERROR),
        ("INTERNAL", StatusCode.ERROR),
        ("INTERNAL_SERVER_ERROR", StatusCode.ERROR),
        ("UNAVAILABLE", StatusCode.ERROR),
        ("ValueError", StatusCode.ERROR),
    ],
)
def test_a_refusal_is_no_error(spans, code, status):
    trace.begin("a", "server").end(code)

    assert spans.named("a").status.status_code is status


def test_what_ends_leaves_its_callers_span_as_it_was(spans):
    with trace.span("outer"):
        trace.begin("a", "client").end()
        with trace.span("b"):
            pass

    assert spans.inside(spans.named("outer")) == ["a", "b"]


class Telemetry(BaseSettings):
    secrets_dir: str = "/nowhere"
    otel_traces_exporter: str = ""
    otel_exporter_otlp_endpoint: str = ""


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, ""),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, "otlp"),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, "otlp"),
        ({"OTEL_TRACES_EXPORTER": "console"}, "console"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_TRACES_EXPORTER": "none"}, ""),
    ],
)
def test_the_standard_variables_decide(monkeypatch, variables, expected):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    assert env.traces_exporter(env.load(Telemetry)) == expected


class Collector(BaseHTTPRequestHandler):
    seen: list = []

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        Collector.seen.append((self.path, self.headers["Authorization"]))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


def test_traces_go_where_the_variables_say(monkeypatch, settings):
    server = HTTPServer(("127.0.0.1", 0), Collector)
    threading.Thread(target=server.handle_request).start()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    settings.TRACES, settings.OTEL_HEADERS = "otlp", "authorization=Bearer x, b=c"
    monkeypatch.setattr(trace, "tracer", tracing.Tracer(tracing.provider(SimpleSpanProcessor(tracing.exporter()))))
    with trace.span("a"):
        pass
    server.server_close()

    assert Collector.seen == [("/v1/traces", "Bearer x")]


def test_off_costs_next_to_nothing():
    def spanned():
        with trace.span("a"):
            pass

    assert trace.tracer is None
    assert trace.headers() == {}
    assert trace.begin("a", "server") is None
    assert min(timeit.repeat(spanned, number=10_000, repeat=5)) / 10_000 < 5e-6


class Kept(Transport):
    envelopes: list = []

    def capture_envelope(self, envelope):
        Kept.envelopes.append(envelope)


@pytest.fixture
def reported(settings, monkeypatch):
    """The error reports so far."""
    settings.SENTRY_DSN, settings.RELEASE = "http://key@sentry.invalid/1", "v7"
    monkeypatch.setattr(logs, "reporters", [])
    monkeypatch.setattr(Kept, "envelopes", [])
    reports.install(transport=Kept)
    yield lambda: [envelope.get_event() for envelope in Kept.envelopes]
    reports.sentry_sdk.get_client().close(0)


@pytest.mark.django_db
def test_an_error_is_reported_with_its_request_id_and_release(graphql, reported, monkeypatch):
    page = graphql().login(UserFactory())
    monkeypatch.setattr("framework.tests.library.repository.get_user", lambda _: 1 / 0)
    password = "yranac"[::-1]  # in a frame of the stack, as any value might be
    page("{ me { id } }", password=password)

    (event,) = reported()
    assert event["release"] == "v7"
    assert event["tags"]["request_id"] == page.last["X-Request-ID"]
    assert event["exception"]["values"][0]["type"] == "ZeroDivisionError"
    assert "canary" not in json.dumps(event, default=str)
    assert "request" not in event
    assert "user" not in event


def test_an_error_without_an_exception_is_reported_by_its_words(reported):
    context.begin("test", request_id="an-id")
    get_logger("somewhere").error("calls did not end within the grace time", grace=30)
    get_logger("somewhere").warning("nothing to report")

    assert [(event["message"], event["tags"]["request_id"]) for event in reported()] == [
        ("calls did not end within the grace time", "an-id")
    ]
