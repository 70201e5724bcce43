"""Fixtures that every test may use."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings
from django.core.cache import cache
from django.db import connection
from django.test import Client

from apps.common import call


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if connection.vendor == "postgresql":
        return
    skip = pytest.mark.skip(reason="needs PostgreSQL: set DATABASE_URL")
    for item in items:
        if "postgresql" in item.keywords:
            item.add_marker(skip)


@pytest.fixture(autouse=True)
def _fast_passwords_and_nothing_left_over(settings: Any) -> Iterator[None]:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher", *settings.PASSWORD_HASHERS]
    call.start()  # the deadline of a test before would hold
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
        self.client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        return self


@pytest.fixture
def graphql() -> Callable[[], GraphQL]:
    """Makes single-page apps: `graphql()` for nobody, `graphql().login(user)`."""
    return GraphQL
