"""The web door: request ids, access lines, and what GraphQL over HTTP refuses before GraphQL."""

import json
import logging
import subprocess
import sys
import time

import pytest
from django.conf import settings
from django.test import Client
from django.urls import resolve

from framework import context
from framework.graphql.bounded import RateLimit
from framework.observe.health import Health
from framework.tests.library import repository
from framework.tests.library.factories import UserFactory

pytestmark = pytest.mark.django_db

ME = {"query": "{ me { id } }"}


@pytest.fixture
def client():
    return Client(enforce_csrf_checks=True, headers={"host": "localhost"})


def post(client, body=ME, **headers):
    return client.post("/graphql", body, content_type="application/json", headers=headers)


def code(response) -> str:
    (error,) = response.json()["errors"]
    return error["extensions"]["code"]


def test_a_request_id_is_taken_over_and_given_back(client):
    response = post(client, **{"X-Request-ID": "from-the-proxy_1"})

    assert response["X-Request-ID"] == response.json()["extensions"]["requestId"] == "from-the-proxy_1"


@pytest.mark.parametrize("given", ["", "a b", "x" * 65, "a\nb", "<script>"])
def test_a_request_id_that_is_none_is_replaced(client, given):
    response = post(client, **{"X-Request-ID": given})

    assert response["X-Request-ID"] != given
    assert len(response["X-Request-ID"]) == 32


def test_a_request_has_one_access_line_and_no_personal_data(client, caplog):
    with caplog.at_level(logging.INFO):
        post(client, {"query": 'mutation { addBook(title: "canary@example.com") { book { id } } }'})
    lines = [record for record in caplog.records if record.name == "access.web"]

    assert len(lines) == 1
    assert "canary" not in caplog.text


def test_an_answer_is_not_cached(client):
    assert post(client)["Cache-Control"] == "no-store"


def test_a_cookie_needs_the_token(client):
    user = UserFactory()
    client.force_login(user)

    refused = post(client)
    assert (refused.status_code, code(refused)) == (403, "FORBIDDEN")
    token = client.get("/graphql", {"query": "{ csrfToken }"}).json()["data"]["csrfToken"]
    assert post(client, **{"X-CSRFToken": token}).json()["data"] == {"me": {"id": str(user.pk)}}


def test_a_page_of_another_origin_is_refused_with_the_token(client):
    client.force_login(UserFactory())
    token = client.get("/graphql", {"query": "{ csrfToken }"}).json()["data"]["csrfToken"]

    assert post(client, **{"X-CSRFToken": token, "Origin": "https://evil.example"}).status_code == 403


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
def test_what_a_form_of_another_site_can_send_is_refused(client, content_type):
    response = client.post("/graphql", json.dumps(ME), content_type=content_type)

    assert response.status_code == 415


def test_a_mutation_by_get_is_refused_and_the_method_named(client):
    response = client.get("/graphql", {"query": "mutation { logout { ok } }"})

    assert (response.status_code, response["Allow"]) == (405, "POST")


def test_other_methods_are_refused_and_the_allowed_ones_named(client):
    response = client.put("/graphql", ME, content_type="application/json")

    assert (response.status_code, response["Allow"]) == (405, "GET, POST")


def test_an_answer_that_the_client_does_not_take_is_refused(client):
    assert post(client, Accept="text/csv").status_code == 406


def test_a_batch_is_refused(client):
    response = post(client, [ME, ME])

    assert (response.status_code, code(response)) == (400, "BAD_USER_INPUT")


def test_a_body_that_is_too_large_is_refused_by_its_length(client):
    response = post(client, {"query": "#" + "x" * settings.GRAPHQL_LIMITS.request_bytes})

    assert response.status_code == 413
    assert "GRAPHQL_LIMITS: request_bytes" in response.json()["errors"][0]["message"]


def test_who_asks_too_often_is_refused_until_the_minute_is_over(client, monkeypatch):
    monkeypatch.setattr(resolve("/graphql").func, "rate", RateLimit(2))
    answers = [post(client) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert code(answers[2]) == "RATE_LIMITED"
    assert 1 <= int(answers[2]["Retry-After"]) <= 60


def test_the_cost_is_told_to_those_who_ask(client):
    body = {"query": "{ me { id } again: me { id } }", "extensions": {"cost": True}}

    assert post(client, body).json()["extensions"]["cost"] == {
        "requested": 2,
        "limit": settings.GRAPHQL_LIMITS.cost,
    }


def test_an_operation_that_runs_too_long_ends_with_one_error(graphql, monkeypatch, settings):
    app = graphql().login(UserFactory())
    settings.GRAPHQL_TIMEOUT = 0.05

    def slow(_):
        time.sleep(0.1)
        context.check_deadline()

    monkeypatch.setattr(repository, "get_user", slow)

    assert app.error("{ a: me { id } b: me { id } }")["code"] == "DEADLINE_EXCEEDED"


def test_an_unexpected_error_is_masked_and_logged_with_the_request_id(graphql, monkeypatch, caplog):
    def fail(_):
        raise ValueError("secret of the database")

    app = graphql().login(UserFactory())
    monkeypatch.setattr(repository, "get_user", fail)

    assert app.error("{ me { id } }")["code"] == "INTERNAL_SERVER_ERROR"
    assert "secret" not in app.last.content.decode()
    assert "secret of the database" in caplog.text
    assert app.last["X-Request-ID"] in caplog.text


def test_the_process_lives(client):
    assert client.get("/health/live").json() == {"status": "ok"}


def test_the_process_is_ready(client):
    response = client.get("/health/ready")

    assert (response.status_code, response.json()["status"]) == (200, "degraded")  # nothing but the web server runs


def test_a_process_whose_broker_is_away_is_not_ready(client, monkeypatch):
    monkeypatch.setattr("framework.observe.health.check", lambda: Health(["broker: ConnectionError"], []))
    response = client.get("/health/ready")

    assert (response.status_code, response.json()["problems"]) == (503, ["broker: ConnectionError"])


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_every_log_line_has_the_request_id_and_json_is_json(log_format):
    program = f"""
import logging, sys
from framework.observe import logs
logs.configure({log_format!r}, "INFO")
from framework import context
context.begin("test", request_id="request-1")
logging.getLogger("somebody.else").warning("said %s", "something")
import structlog
structlog.get_logger("ours").info("event", number=1)
try:
    1 / 0
except ZeroDivisionError:
    structlog.get_logger("ours").exception("failed")
"""
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=settings.BASE_DIR, capture_output=True, text=True, check=True)
    lines = [line for line in done.stderr.splitlines() if "request" in line]

    assert len(lines) == 3
    assert all("request-1" in line for line in lines)
    if log_format == "json":
        events = [json.loads(line) for line in done.stderr.splitlines()]
        assert [event["event"] for event in events] == ["said something", "event", "failed"]
        assert "ZeroDivisionError" in events[2]["exception"]
