"""The view over a schema of its own: what is counted, priced and said."""

import json

import pytest
from django.test import RequestFactory
from graphql import build_schema

from framework.graphql import executor
from framework.graphql.bounded import RateLimit
from framework.graphql.view import GraphQLView

SCHEMA = """
    type Query { shelf(first: Int! = 10): [Book!]!, book: Book }
    type Book { title: String!, pages: Int }
"""


def shelf(_root, _info, first):
    return [{"title": f"Book {number}", "pages": number} for number in range(first)]


def view_of(settings, **options):
    for name, value in options.items():
        setattr(settings, name, value)
    schema = build_schema(SCHEMA)
    schema.query_type.fields["shelf"].resolve = shelf
    return GraphQLView(schema)


def post(view, query, address="192.0.2.1", **variables):
    body = query if isinstance(query, bytes) else json.dumps({"query": query, "variables": variables})
    request = RequestFactory(REMOTE_ADDR=address).post("/graphql", body, content_type="application/json")
    response = view(request)
    return response, json.loads(response.content)


def code(answer):
    return answer["errors"][0]["extensions"]["code"]


@pytest.mark.parametrize("query", ["{ nope }", "{", b"{", b"[]"])
def test_a_refused_request_counts(settings, query, monkeypatch):
    view = view_of(settings)
    monkeypatch.setattr(view, "rate", RateLimit(3))
    found = [code(post(view, query)[1]) for _ in range(5)]
    assert found[:3] == [found[0]] * 3
    assert found[0] != "RATE_LIMITED"
    assert found[3:] == ["RATE_LIMITED"] * 2
    assert "errors" not in post(view, "{ shelf { title } }", address="192.0.2.2")[1]


def test_above_the_rate_nothing_is_read_parsed_or_validated(settings, monkeypatch):
    view = view_of(settings)
    monkeypatch.setattr(view, "rate", RateLimit(0))
    monkeypatch.setattr(view.documents, "get", None)
    monkeypatch.setattr("framework.graphql.view.read", None)
    response, answer = post(view, "{ shelf { title } }")
    assert response.status_code == 429
    assert 0 < int(response["Retry-After"]) <= 60
    assert code(answer) == "RATE_LIMITED"


@pytest.mark.parametrize("size", [500, 500.0])
def test_a_page_size_above_the_limit_is_refused_in_any_notation(settings, size):
    _, answer = post(view_of(settings), "query ($n: Int!) { shelf(first: $n) { title } }", n=size)
    assert code(answer) == "BAD_USER_INPUT"
    assert answer.get("data") is None


def test_null_for_an_argument_with_a_default_is_an_error_of_the_client(settings):
    _, answer = post(view_of(settings), "query ($n: Int) { shelf(first: $n) { title } }", n=None)
    assert code(answer) == "BAD_USER_INPUT"


@pytest.mark.parametrize("kind", ["compiled", "stock"])
def test_an_executor_is_chosen_by_the_settings(settings, kind, monkeypatch):
    made = []
    build = executor.Compiled.build
    monkeypatch.setattr(executor.Compiled, "build", lambda *args, **options: made.append(1) or build(*args, **options))
    view = view_of(settings, GRAPHQL_EXECUTOR=kind)
    for _ in range(3):
        _, answer = post(view, "{ shelf(first: 2) { title pages } }")
        assert answer["data"] == {"shelf": [{"title": "Book 0", "pages": 0}, {"title": "Book 1", "pages": 1}]}
    assert len(made) == {"compiled": 2, "stock": 0}[kind]


@pytest.mark.parametrize("introspection", [True, False])
def test_types_are_named_only_where_introspection_is_on(settings, introspection):
    view = view_of(settings, GRAPHQL_INTROSPECTION=introspection)
    _, answer = post(view, "{ book { nope } }")
    assert ("Book" in answer["errors"][0]["message"]) == introspection
