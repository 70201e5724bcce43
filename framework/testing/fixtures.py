"""Fixtures that every test may use, and the ones that surround every test."""

import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from celery import current_app as app
from celery.app.trace import trace_task
from django.conf import settings
from django.core.cache import cache
from django.db import connection
from django.test import Client
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from framework import context
from framework.context import trace
from framework.observe import tracing
from framework.queue import relay


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if connection.vendor == "postgresql":
        return
    skip = pytest.mark.skip(reason="needs PostgreSQL: set DATABASE_URL")
    for item in items:
        if "postgresql" in item.keywords:
            item.add_marker(skip)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown() -> None:
    """A test may leave a unit of work whose deadline has passed; the database is cleaned after it."""
    context.clear()


@pytest.fixture(autouse=True)
def _fast_passwords_and_clean_cache(settings: Any) -> Iterator[None]:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher", *settings.PASSWORD_HASHERS]
    yield
    cache.clear()


class GraphQL:
    """A single-page app: holds cookies, sends the CSRF token once it has one."""

    def __init__(self) -> None:
        self.client = Client(enforce_csrf_checks=True, headers={"host": "localhost"})
        self.last: Any = None

    def __call__(self, query: str, **variables: Any) -> dict[str, Any]:
        token = self.client.cookies.get(settings.CSRF_COOKIE_NAME)
        headers = {"X-CSRFToken": token.value} if token else {}
        body = {"query": query, "variables": variables}
        self.last = self.client.post("/graphql", body, content_type="application/json", headers=headers)
        answer: dict[str, Any] = self.last.json()
        return answer

    def data(self, query: str, **variables: Any) -> dict[str, Any]:
        """The data of an answer without errors."""
        answer = self(query, **variables)
        assert "errors" not in answer, answer["errors"]
        return answer["data"]  # type: ignore[no-any-return]

    def error(self, query: str, **variables: Any) -> dict[str, Any]:
        """The message and extensions of the one error of an answer."""
        (error,) = self(query, **variables)["errors"]
        return {"message": error["message"], **error["extensions"]}

    def login(self, user: Any) -> "GraphQL":
        self("{ csrfToken }")
        self.client.force_login(user)
        return self


@pytest.fixture
def graphql() -> Callable[[], GraphQL]:
    """Makes single-page apps: `graphql()` for nobody, `graphql().login(user)`."""
    return GraphQL


@pytest.fixture
def lines(caplog: Any) -> Callable[[str], list[dict[str, Any]]]:
    """The log's lines of an event so far, as dictionaries."""
    caplog.set_level(logging.DEBUG)

    def lines(event: str) -> list[dict[str, Any]]:
        messages = [record.msg for record in caplog.records]
        return [found for found in messages if isinstance(found, dict) and found["event"] == event]

    return lines


@pytest.fixture
def secrets(caplog: Any, lines: Any) -> Iterator[list[str]]:
    """Put in what must not be logged: in the end, it is looked for in every line of the test."""
    found: list[str] = []
    yield found
    assert found
    records = [each for each in caplog.get_records("call") if not each.name.startswith("factory.")]
    said = "\n".join(f"{record.getMessage()} {record.__dict__}" for record in records)
    assert said
    assert [line for line in said.splitlines() if any(secret in line for secret in found)] == []


@pytest.fixture
def run_queued_tasks(monkeypatch: Any) -> Callable[[], None]:
    """Relay and worker in one: runs what is due until nothing is."""

    def send_task(name: str, args: Any, kwargs: Any, *, task_id: str, headers: Any, retries: int, **_: Any) -> None:
        request = {"id": task_id, "headers": headers, "retries": retries, "called_directly": False}
        trace_task(app.tasks[name], task_id, args, kwargs, request | {"delivery_info": {}}, app=app)

    def run() -> None:
        while relay.publish_due(app):
            pass

    monkeypatch.setattr(app, "send_task", send_task)
    return run


class Spans(InMemorySpanExporter):
    def named(self, name: str) -> Any:
        (span,) = [span for span in self.get_finished_spans() if span.name == name]
        return span

    def inside(self, span: Any) -> list[str]:
        """The names of the spans that lie directly in it, in their order."""
        spans = sorted(self.get_finished_spans(), key=lambda each: each.start_time or 0)
        return [each.name for each in spans if each.parent and each.parent.span_id == span.context.span_id]


@pytest.fixture
def spans(monkeypatch: Any) -> Spans:
    """The spans that have ended so far."""
    exporter = Spans()
    monkeypatch.setattr(trace, "tracer", tracing.Tracer(tracing.provider(SimpleSpanProcessor(exporter))))
    return exporter
