import time

import pytest
from django.db import connections

from project import readiness

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def checks(monkeypatch):
    monkeypatch.setattr(readiness, "_checks", readiness._Checks())


def test_nothing_is_wrong_when_the_stores_answer():
    assert readiness.problems() == []


def test_a_broker_that_is_down_is_named(settings):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"

    assert readiness.problems() == ["broker: ConnectionError"]


def test_a_database_that_is_down_is_named(monkeypatch):
    def fail(self, *args):
        raise ConnectionRefusedError

    monkeypatch.setattr(type(connections["default"]), "get_new_connection", fail)

    assert readiness.problems() == ["database: ConnectionRefusedError"]


def test_a_store_that_hangs_holds_nobody_up(monkeypatch):
    monkeypatch.setattr(readiness, "PATIENCE", 0.1)
    monkeypatch.setattr(readiness, "_check_database", lambda: time.sleep(1))
    started = time.monotonic()

    assert readiness.problems() == ["a store does not answer within 0.1 s"]
    assert time.monotonic() - started < 0.5


def test_an_answer_is_kept_for_a_second(monkeypatch):
    asked = []
    monkeypatch.setattr(readiness, "_check_broker", lambda: asked.append(True))
    for _ in range(5):
        readiness.problems()

    assert asked == [True]
