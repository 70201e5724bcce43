"""The access lines: one a unit of work, the same keys at every door, one id all the way, and nothing personal."""

import contextlib

import grpc
import pytest
from celery import shared_task
from django.core.mail import EmailMessage, get_connection
from django.db import connection
from django.test import Client

from framework import context
from framework.errors import NotFound
from framework.grpc import server as grpc_server
from framework.grpc.tests import echo
from framework.testing.grpc import connected
from framework.tests.library.factories import StaffFactory, UserFactory

pytestmark = pytest.mark.django_db

KEYS = {"name", "code", "ms", "queries", "sql_ms", "actor", "request_id"}
TOKEN = "canary-service-token-0123456789"
ADD = '{ addBook(title: "A") { book { id } } }'


@shared_task(name="test.find", autoretry_for=())
def find(number: int) -> None:
    raise NotFound(f"There is no {int(number)}.")


@pytest.fixture
def stub(settings):
    settings.GRPC_TOKENS = f"shop:{TOKEN}"
    settings.GRPC_STREAMS = 0
    with connected(echo.register, grpc_server.chain()) as channel:
        yield echo.Stub(channel)


def test_a_graphql_request_has_a_line(graphql, lines):
    user = UserFactory()
    graphql().login(user)("query One { me { id } again: me { email } }")

    line = lines("request")[-1]
    assert line.keys() >= KEYS | {"method", "path", "status", "cost"}
    assert line.items() >= {
        "name": "One", "code": "OK", "actor": f"user:{user.id}", "status": 200, "path": "/graphql", "cost": 2,
        "queries": 4,  # session, user, and the user again for each field
    }.items()  # fmt: skip
    assert 0 < line["sql_ms"] <= line["ms"] + 0.1  # each is rounded


@pytest.mark.parametrize(
    ("query", "name", "code"),
    [
        ("{", "(refused)", "GRAPHQL_PARSE_FAILED"),
        ("{ nothing }", "(refused)", "GRAPHQL_VALIDATION_FAILED"),
        ("{ me { id } }", "(anonymous)", "OK"),
        (f"mutation Q {ADD}", "Q", "UNAUTHENTICATED"),
    ],
)
def test_a_line_has_the_code_of_the_error(graphql, lines, query, name, code):
    graphql()(query)

    assert lines("request")[-1].items() >= {"name": name, "code": code, "actor": "nobody"}.items()


def test_pages_of_django_have_lines(lines):
    client, staff = Client(headers={"host": "localhost"}), StaffFactory()
    client.get("/nowhere")
    client.force_login(staff)
    client.get("/admin/")

    assert [(line["name"], line["code"], line["actor"]) for line in lines("request")] == [
        ("unknown", "HTTP_404", "nobody"),
        ("admin:index", "OK", f"user:{staff.pk}"),
    ]


def test_a_call_has_a_line(stub, lines, monkeypatch):
    def act(request, context):
        UserFactory._meta.model.objects.count()
        return request

    monkeypatch.setattr(echo.EchoService, "act", staticmethod(act))
    stub.Write(echo.Text(), metadata=echo.bearer(TOKEN))

    (line,) = lines("call")
    assert line.keys() >= KEYS
    assert (
        line.items()
        >= {
            "name": echo.WRITE,
            "code": "OK",
            "actor": "service:shop",
            "queries": 1,
        }.items()
    )
    assert 0 < line["sql_ms"] <= line["ms"] + 0.1  # each is rounded


def test_a_try_that_fails_says_why(lines, run_queued_tasks):
    context.begin("test", request_id="one-id")
    find.delay(5)
    find.delay("no number")
    run_queued_tasks()

    tasks = lines("task")
    assert all(line.keys() >= KEYS | {"task_id", "retries"} for line in tasks)
    assert {line["code"] for line in tasks} == {"NOT_FOUND", "ValueError"}
    assert {(line["name"], line["request_id"], line["actor"]) for line in tasks} == {
        ("test.find", "one-id", "service:system")
    }


def test_queries_are_counted_for_the_work_that_asked_them():
    context.begin("test")
    with connection.cursor() as cursor:
        for _ in range(3):
            cursor.execute("SELECT 1")
    asked = context.current()
    context.begin("test")

    assert asked.queries == 3
    assert asked.sql_seconds > 0
    assert context.current().queries == 0


@pytest.mark.parametrize("token", [TOKEN, "canary-wrong-token"])
def test_a_call_leaves_no_token(stub, secrets, lines, token):
    with contextlib.suppress(grpc.RpcError):
        stub.Write(echo.Text(), metadata=echo.bearer(token))
    assert [line["code"] for line in lines("call")] == ["OK" if token == TOKEN else "UNAUTHENTICATED"]
    secrets += [token]


def test_without_a_mail_server_no_address_is_logged(secrets, lines, settings):
    settings.EMAIL_BACKEND = "framework.mail.NoBackend"
    assert EmailMessage("Hello", "canary text", None, ["canary@example.com"]).send() == 0
    assert len(lines("mail is lost: EMAIL_URL is not set")) == 1
    secrets += ["canary"]


def test_an_id_that_a_mail_has_is_kept(settings, tmp_path):
    settings.DATA_DIR = tmp_path
    message = EmailMessage("Hello", "", None, ["a@example.com"], headers={context.REQUEST_ID_HEADER: "its-own"})
    context.begin("test", request_id="another")
    get_connection("framework.mail.MailboxBackend").send_messages([message])

    assert message.extra_headers == {context.REQUEST_ID_HEADER: "its-own"}
