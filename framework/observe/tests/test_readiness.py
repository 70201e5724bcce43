import time

import pytest
from django.db import connections

from framework.observe import readiness
from framework.queue import liveness

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def checks(monkeypatch):
    monkeypatch.setattr(readiness, "_checks", readiness._Checks())


def test_nothing_is_wrong_when_the_stores_answer():
    assert readiness.problems() == []


def test_a_broker_that_is_down_is_named(settings):
    settings.REDIS_URL = settings.CELERY_BROKER_URL = "redis://127.0.0.1:1/0"

    assert readiness.problems() == ["broker: ConnectionError"]


def test_a_broker_of_its_own_that_is_down_makes_nobody_unready(settings):
    settings.CELERY_BROKER_URL = "amqp://127.0.0.1:1"

    assert readiness.problems() == []
    assert "broker is silent" in readiness.degraded()


def test_a_cache_that_is_down_is_named(settings):
    settings.CELERY_BROKER_URL = "amqp://127.0.0.1:1"
    settings.REDIS_URL = "redis://127.0.0.1:1/0"

    assert readiness.problems() == ["cache: ConnectionError"]


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
    monkeypatch.setattr(readiness, "_check_redis", lambda: asked.append(True))
    for _ in range(5):
        readiness.problems()

    assert asked == [True]


def test_migrations_that_are_missing_make_unready_until_they_are_there(monkeypatch):
    checks = readiness._checks
    monkeypatch.setattr(readiness, "KEEP", 0)
    with monkeypatch.context() as patched:
        patched.setattr(readiness.MigrationExecutor, "migration_plan", lambda *_: ["0007"])
        assert checks.problems() == ["migrations: 1 not applied"]
    assert checks.problems() == []
    monkeypatch.setattr(readiness, "MigrationExecutor", None)  # applied ones are not looked at again
    assert checks.problems() == []


def test_a_silent_part_is_told_and_leaves_the_process_ready(client, monkeypatch):
    monkeypatch.setattr(liveness, "heartbeat_ages", lambda: {"beat": 119, "relay": 61, "broker": 1, "queue": 1})
    response = client.get("/health/ready")

    assert response.status_code == 200
    assert response.json() == {"status": "ok", "degraded": ["relay is silent"]}


def test_a_part_that_was_never_heard_of_is_silent():
    readiness.problems()

    assert readiness.degraded() == ["relay is silent", "broker is silent", "beat is silent", "queue is silent"]
