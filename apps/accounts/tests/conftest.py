import json
import re

import pytest
from django.conf import settings
from django.core import mail
from django.test import Client

from framework.web import timing


def code_in(message):
    return re.search(r"^([A-Z0-9]{3,}-?[A-Z0-9]{3,})$", message.body, re.MULTILINE)[1]


class App:
    """A single-page app: holds cookies, sends the CSRF token, reads its mail."""

    def __init__(self, run_queued_tasks):
        self.client = Client(enforce_csrf_checks=True, headers={"host": "localhost"})
        self._run_queued_tasks = run_queued_tasks

    def __call__(self, method, path, body=None, **headers):
        """The status and the JSON of the answer."""
        token = self.client.cookies.get(settings.CSRF_COOKIE_NAME)
        answer = self.client.generic(
            method,
            f"/accounts/browser/v1{path}",
            json.dumps(body) if body is not None else "",
            content_type="application/json",
            headers=({"X-CSRFToken": token.value} if token else {}) | headers,
        )
        self.answer = answer
        return answer.status_code, answer.json()

    def start(self):
        self("GET", "/config")
        return self

    def log_in(self, email, password):
        return self.start()("POST", "/auth/login", {"email": email, "password": password})

    def reauthenticate(self, password):
        return self("POST", "/auth/reauthenticate", {"password": password})

    def mails(self):
        self._run_queued_tasks()
        return mail.outbox

    def code(self):
        """The code in the latest mail."""
        return code_in(self.mails()[-1])

    def graphql(self, query, **variables):
        token = self.client.cookies[settings.CSRF_COOKIE_NAME].value
        body = {"query": query, "variables": variables}
        headers = {"X-CSRFToken": token}
        return self.client.post("/graphql", body, content_type="application/json", headers=headers).json()

    def me(self):
        return self.graphql("{ me { email isStaff } }")["data"]["me"]


@pytest.fixture(autouse=True)
def hurried(monkeypatch):
    """Answers come after whole milliseconds."""
    monkeypatch.setattr(timing, "STEP", 0.001)


@pytest.fixture
def app(run_queued_tasks):
    """Makes single-page apps."""
    return lambda: App(run_queued_tasks).start()
