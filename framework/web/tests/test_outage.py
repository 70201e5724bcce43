"""What clients are told while a store is away: nothing but that they may try again."""

import contextlib
import json

import pytest
from django.contrib.auth import get_user_model
from django.db import InternalError, OperationalError, connections
from django.test import Client, RequestFactory
from graphql import GraphQLField, GraphQLInt, GraphQLObjectType, GraphQLSchema
from psycopg.errors import ReadOnlySqlTransaction

from framework import context
from framework.data import outage
from framework.graphql.view import GraphQLView
from framework.tests.library.factories import StaffFactory

ME = {"query": "{ me { id } }"}


@pytest.fixture
def client():
    return Client(raise_request_exception=False)


@pytest.fixture
def signed_in(client, db):
    client.force_login(StaffFactory(is_superuser=True))
    return client


@pytest.fixture
def away():
    """Has every statement fail from now on."""

    def fail(*args):
        raise OperationalError("connection to server at 10.0.0.7 failed")

    with contextlib.ExitStack() as stack:
        yield lambda execute=fail: stack.enter_context(connections["default"].execute_wrapper(execute))


def ask(client, query="{ me { id } }"):
    return client.get("/graphql", {"query": query})


def refusal(response) -> tuple[int, str, str]:
    (error,) = response.json()["errors"]
    return response.status_code, error["extensions"]["code"], response["Retry-After"]


def test_a_signed_in_request_is_unavailable_in_the_form_of_graphql(signed_in, away, caplog):
    away()
    response = ask(signed_in)

    assert refusal(response) == (503, "UNAVAILABLE", "5")
    assert response.json()["extensions"]["requestId"] == response["X-Request-ID"]
    assert "10.0.0.7" not in response.content.decode()
    assert {record.levelname for record in caplog.records} <= {"INFO", "WARNING"}


def test_a_browser_is_shown_a_page(signed_in, away):
    away()
    response = signed_in.get("/admin/", headers={"accept": "text/html,application/xml;q=0.9,*/*;q=0.8"})

    assert (response.status_code, response["Retry-After"]) == (503, "5")
    assert "<p>The database does not answer now. Try again later.</p>" in response.content.decode()
    assert b"10.0.0.7" not in response.content


@pytest.mark.parametrize("accept", [{}, {"accept": "*/*"}, {"accept": "application/json"}])
def test_a_program_is_told_so_in_json(signed_in, away, accept):
    away()
    response = signed_in.get("/admin/", headers=accept)

    assert (response.status_code, response["Retry-After"]) == (503, "5")
    assert response.json() == {
        "code": "UNAVAILABLE",
        "reason": "DATABASE",
        "message": "The database does not answer now. Try again later.",
        "fields": {},
        "requestId": response["X-Request-ID"],
    }


def count_users(*_) -> int:
    return get_user_model().objects.count()


@pytest.mark.django_db
def test_the_first_field_that_meets_an_outage_ends_the_request(away):
    asked = []

    def fail(*args):
        asked.append(args)
        raise OperationalError("away")

    schema = GraphQLSchema(GraphQLObjectType("Query", {"users": GraphQLField(GraphQLInt, resolve=count_users)}))
    away(fail)
    response = GraphQLView(schema)(RequestFactory().get("/graphql", {"query": "{ a: users b: users c: users }"}))
    (error,) = json.loads(response.content)["errors"]

    assert (error["extensions"]["code"], response["Retry-After"]) == ("UNAVAILABLE", "5")
    assert len(asked) == 1


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/graphql", "/admin/"])
def test_a_request_that_waited_beyond_its_time_is_refused_unread(client, settings, django_assert_num_queries, path):
    context.arrive(settings.GRAPHQL_TIMEOUT + 1)
    with django_assert_num_queries(0):
        response = client.post(path, b"not read", content_type="application/json")

    assert (response.status_code, response["Retry-After"]) == (503, "5")
    assert b"UNAVAILABLE" in response.content


def test_an_error_that_is_ours_is_no_outage(signed_in, away, settings, caplog):
    settings.DEBUG = False

    def fail(*args):
        raise ValueError("secret of the code")

    away(fail)
    response = signed_in.get("/admin/")

    assert response.status_code == 500
    assert b"secret" not in response.content
    assert "unexpected error" in caplog.text


def raised_from(cause, error):
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "is_one"),
    [
        (OperationalError("away"), True),
        (raised_from(ReadOnlySqlTransaction(), InternalError("read-only")), True),
        (InternalError("corrupted"), False),
        (ValueError("ours"), False),
        (None, False),
    ],
)
def test_outages_are_told_from_mistakes(error, is_one):
    assert outage.is_outage(error) is is_one


@pytest.mark.django_db
def test_a_missing_table_is_a_mistake():
    with pytest.raises(Exception, match="nowhere") as failed, connections["default"].cursor() as cursor:
        cursor.execute("SELECT * FROM nowhere")

    assert not outage.is_outage(failed.value)


def test_a_strangers_host_name_is_refused_without_an_error_of_ours(settings, caplog):
    settings.ALLOWED_HOSTS, settings.DEBUG = ["example.com"], False
    response = Client(raise_request_exception=False).get("/admin/", headers={"host": "evil.example"})

    assert response.status_code == 400
    assert not [record for record in caplog.records if record.levelname == "ERROR" or record.exc_info]
