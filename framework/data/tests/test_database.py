from types import SimpleNamespace

import pytest
from django.conf import settings
from django.db import OperationalError, connection, connections
from structlog.testing import capture_logs

from framework.data import database
from framework.env import postgres

CONNECTED = connections.settings["default"]


@pytest.fixture
def env(monkeypatch):
    """Sets variables of this process."""

    def put(**values):
        for name, value in values.items():
            monkeypatch.setattr(settings.ENV, name, value)

    return put


def given(**values):
    return SimpleNamespace(**vars(settings.ENV) | values)


@pytest.mark.parametrize(
    ("role", "processes", "values", "connections"),
    [
        ("web", 2, {}, 2 * (4 + 1)),
        ("web", 3, {"web_threads": 8}, 3 * (8 + 1)),
        ("web", 3, {"web_threads": 8, "database_pool": 2}, 3 * (2 + 1)),
        ("web", 3, {"web_threads": 8, "database_pool": 0}, 3 * (8 + 1)),
        ("grpc", 2, {"grpc_threads": 6, "grpc_streams": 3}, 2 * (6 + 3 + 1)),
        ("worker", 4, {"database_pool": 9}, 4 * 3 + 1),
        ("beat", 1, {"database_pool": 9}, 1),
        ("relay", 1, {"database_pool": 9}, 2),
    ],
)
def test_what_a_role_can_open_follows_from_its_settings(role, processes, values, connections):
    assert database.most(role, processes, given(**values)) == connections


@pytest.mark.postgresql
@pytest.mark.parametrize(("role", "size"), [("web", 4), ("grpc", 8)])
def test_a_pool_has_a_connection_for_each_thread(role, size, monkeypatch):
    monkeypatch.setitem(CONNECTED, "CONN_MAX_AGE", None)
    monkeypatch.setitem(CONNECTED, "OPTIONS", CONNECTED["OPTIONS"])
    database.use_pool(role)

    assert (CONNECTED["CONN_MAX_AGE"], CONNECTED["OPTIONS"]["pool"]["max_size"]) == (0, size)


@pytest.mark.postgresql
def test_a_replica_has_a_pool_that_is_not_waited_for_long(monkeypatch):
    monkeypatch.setitem(CONNECTED, "OPTIONS", CONNECTED["OPTIONS"])
    given = postgres("postgres://u:p@h/name?sslmode=require")
    monkeypatch.setitem(connections.settings, "replica", connections.configure_settings({"default": given})["default"])
    database.use_pool("web")

    found = connections.settings["replica"]
    assert found["OPTIONS"] == {"sslmode": "require", "pool": CONNECTED["OPTIONS"]["pool"] | {"timeout": 2}}
    assert (found["CONN_MAX_AGE"], found["DISABLE_SERVER_SIDE_CURSORS"]) == (0, True)


@pytest.mark.parametrize("wanted", [0, 3])
def test_the_operator_decides_on_the_pool(wanted, env, monkeypatch):
    monkeypatch.setitem(CONNECTED, "CONN_MAX_AGE", None)
    monkeypatch.setitem(CONNECTED, "OPTIONS", CONNECTED["OPTIONS"])
    env(database_pool=wanted)
    database.use_pool("web")

    pool = CONNECTED["OPTIONS"].get("pool", {"max_size": 0})
    assert pool["max_size"] == (wanted if connection.vendor == "postgresql" else 0)


@pytest.mark.postgresql
@pytest.mark.django_db
def test_what_a_role_can_open_is_compared_with_what_the_server_has_left(env):
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('max_connections')::int")
        (most,) = cursor.fetchone()
    env(web_threads=most - 1)
    with capture_logs() as logs:
        database.check_room("beat", 1)
        database.check_room("web", 1)

    (warning,) = logs
    assert warning["event"] == "the database has too few connections"
    assert (warning["log_level"], warning["role"], warning["may_open"]) == ("warning", "web", most)
    assert warning["allowed"] < most
    assert 1 <= warning["others_have_open"] < most
    assert "DATABASE_POOL" in warning["cure"]


@pytest.mark.postgresql
@pytest.mark.django_db
def test_a_database_that_is_away_stops_no_start(monkeypatch):
    def fail(self, *args):
        raise OperationalError

    monkeypatch.setattr(type(connections["default"]), "get_new_connection", fail)
    with capture_logs() as logs:
        database.check_room("web", 1000)

    assert logs == []
