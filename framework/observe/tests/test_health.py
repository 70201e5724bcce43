import time

import pytest
import redis
from django.db import OperationalError, connection, connections

from framework.observe import health
from framework.queue import liveness

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def checks(monkeypatch, settings):
    settings.EMAIL_URL = "smtp://mail.example.com"
    monkeypatch.setattr(health, "_checks", health._Checks())


def test_nothing_is_wrong_when_the_stores_answer():
    assert health.check().problems == []


def test_a_broker_that_is_down_is_named(settings):
    settings.REDIS_URL = settings.CELERY_BROKER_URL = "redis://127.0.0.1:1/0"

    assert health.check().problems == ["broker: ConnectionError"]


def test_a_broker_of_its_own_that_is_down_makes_nobody_unready(settings):
    settings.CELERY_BROKER_URL = "amqp://127.0.0.1:1"

    assert health.check().problems == []
    assert "broker is silent" in health.check().degraded


def test_a_cache_that_is_down_is_named(settings):
    settings.CELERY_BROKER_URL = "amqp://127.0.0.1:1"
    settings.REDIS_URL = "redis://127.0.0.1:1/0"

    assert health.check().problems == ["cache: ConnectionError"]


def test_a_database_that_is_down_is_named(monkeypatch):
    def fail(self, *args):
        raise ConnectionRefusedError

    monkeypatch.setattr(type(connections["default"]), "get_new_connection", fail)

    assert health.check().problems == ["database: ConnectionRefusedError"]


def test_a_store_that_hangs_holds_nobody_up(monkeypatch):
    monkeypatch.setattr(health, "PATIENCE", 0.1)
    monkeypatch.setattr(health, "_ping_redis", lambda: time.sleep(1))
    started = time.monotonic()

    assert health.check().problems == ["a store does not answer within 0.1 s"]
    assert time.monotonic() - started < 0.5


def test_an_answer_is_kept_for_a_second(monkeypatch):
    asked = []
    monkeypatch.setattr(health, "_ping_redis", lambda: asked.append(True))
    for _ in range(5):
        health.check()

    assert asked == [True]


def test_migrations_that_are_missing_make_unready_until_they_are_there(monkeypatch):
    checks = health._checks
    monkeypatch.setattr(health, "KEEP", 0)
    with monkeypatch.context() as patched:
        patched.setattr(health.MigrationExecutor, "migration_plan", lambda *_: ["0007"])
        assert checks.health().problems == ["database: 1 migrations are not applied: run manage.py migrate"]
    assert checks.health().problems == []
    monkeypatch.setattr(health, "MigrationExecutor", None)  # applied ones are not looked at again
    assert checks.health().problems == []


def test_a_silent_part_is_told_and_leaves_the_process_ready(client, monkeypatch):
    monkeypatch.setattr(liveness, "heartbeat_ages", lambda: {"beat": 119, "relay": 61, "broker": 1, "queue": 1})
    response = client.get("/health/ready")

    assert response.status_code == 200
    assert response.json() == {"status": "degraded", "degraded": ["relay is silent"]}


def test_a_part_that_was_never_heard_of_is_silent():
    assert health.check().degraded == ["relay is silent", "broker is silent", "beat is silent", "queue is silent"]


def test_a_redis_that_is_full_is_named_and_leaves_the_process_ready(client, monkeypatch):
    def refuse(self, *args, **options):
        raise redis.OutOfMemoryError("command not allowed when used memory > 'maxmemory'.")

    monkeypatch.setattr(redis.Redis, "set", refuse)
    response = client.get("/health/ready")

    assert (response.status_code, response.json()["status"]) == (200, "degraded")
    assert response.json()["degraded"][0] == "cannot write to broker: OutOfMemoryError"


@pytest.mark.postgresql
def test_a_database_that_is_read_only_is_named_and_leaves_the_process_ready(client):
    name = connection.ops.quote_name(connection.settings_dict["NAME"])
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")  # of later connections
        try:
            response = client.get("/health/ready")
        finally:
            cursor.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")

    assert (response.status_code, response.json()["status"]) == (200, "degraded")
    assert response.json()["degraded"][0] == "cannot write to database: read-only"


@pytest.mark.postgresql
def test_a_database_that_refuses_a_write_is_named(monkeypatch):
    def refuse(*args, **options):
        raise OperationalError("could not extend file: No space left on device")

    monkeypatch.setattr(liveness, "record_heartbeat", refuse)

    assert health.check().degraded[0] == "cannot write to database: OperationalError"


@pytest.mark.parametrize(
    ("debug", "url", "told"), [(False, "", True), (False, "smtp://mail", False), (True, "", False)]
)
def test_mail_that_is_lost_in_production_is_told(settings, debug, url, told):
    settings.DEBUG, settings.EMAIL_URL = debug, url

    assert ("mail is lost: EMAIL_URL is not set" in health.check().degraded) is told
