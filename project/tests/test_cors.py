"""Pages of other origins: those that are named may use /graphql, as their visitor, and nothing else."""

import pytest
from django.test import Client

from apps.accounts.tests.factories import StaffFactory, UserFactory

APP = "https://app.example.com"
ME = {"query": "{ me { id } }"}
PREFLIGHT = {
    "Origin": APP,
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "content-type,x-csrftoken",
}


@pytest.fixture(autouse=True)
def _allowed(settings):
    settings.CORS_ALLOWED_ORIGINS = [APP]


@pytest.fixture
def client():
    return Client(enforce_csrf_checks=True, headers={"host": "localhost"})


def login(client, user):
    client.force_login(user)
    return client.get("/graphql", {"query": "{ csrfToken }"}).json()["data"]["csrfToken"]


def cors(answer):
    return {name: value for name, value in answer.headers.items() if name.lower().startswith("access-control-")}


@pytest.mark.parametrize("path", ["/graphql", "/graphql/"])
def test_a_preflight_is_answered_without_the_database_or_https(client, path, settings):
    settings.SECURE_SSL_REDIRECT = True
    answer = client.options(path, headers=PREFLIGHT)  # in a test that may not use the database

    assert (answer.status_code, answer.content, answer.cookies) == (200, b"", {})
    assert cors(answer) == {
        "access-control-allow-origin": APP,
        "access-control-allow-credentials": "true",
        "access-control-allow-methods": "DELETE, GET, PATCH, POST, PUT",
        "access-control-allow-headers": "accept, content-type, traceparent, tracestate, x-csrftoken, x-request-id",
        "access-control-expose-headers": "Retry-After, X-Request-ID",
        "access-control-max-age": "86400",
    }


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "http://app.example.com", f"{APP}.evil.example", "https://x.app.example.com", "null"],
)
def test_other_origins_are_told_nothing(client, origin):
    assert cors(client.options("/graphql", headers=PREFLIGHT | {"Origin": origin})) == {}
    assert cors(client.get("/graphql", {"query": "{ __typename }"}, headers={"Origin": origin})) == {}


@pytest.mark.parametrize("path", ["/admin/login/", "/static/x", "/graphqlx", "/x/graphql", "/health/live"])
@pytest.mark.django_db
def test_nothing_but_graphql_is_for_them(client, path):
    assert cors(client.options(path, headers=PREFLIGHT)) == {}
    assert cors(client.get(path, headers={"Origin": APP})) == {}


@pytest.mark.django_db
def test_a_page_that_is_allowed_acts_for_its_visitor_and_reads_refusals(client):
    user = UserFactory()
    token = login(client, user)

    refused = client.post("/graphql", ME, content_type="application/json", headers={"Origin": APP})
    assert (refused.status_code, cors(refused)["access-control-allow-origin"]) == (403, APP)
    headers = {"Origin": APP, "X-CSRFToken": token}
    answer = client.post("/graphql", ME, content_type="application/json", headers=headers)
    assert answer.json()["data"] == {"me": {"id": str(user.pk)}}
    assert cors(answer)["access-control-allow-credentials"] == "true"
    assert "origin" in answer["Vary"]


@pytest.mark.django_db
def test_a_page_that_may_use_graphql_may_not_use_the_admin(client):
    staff = StaffFactory(is_superuser=True)
    token = login(client, staff)
    form = {"csrfmiddlewaretoken": token}

    assert client.post("/admin/logout/", form, headers={"Origin": APP}).status_code == 403
    assert client.post("/admin/logout/", form, headers={"Origin": "http://localhost"}).status_code == 200
