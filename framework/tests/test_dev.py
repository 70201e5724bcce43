"""The commands that set a system up and run it."""

import socket

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command

from framework.management.commands import dev


@pytest.fixture
def busy():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


@pytest.mark.parametrize("variable", ["PORT", "GRPC_PORT"])
def test_a_busy_port_is_refused_with_the_port_and_the_variable(settings, busy, variable):
    settings.PORT, settings.GRPC_PORT, settings.EMBEDDED_VALKEY = 0, 0, False
    setattr(settings, variable, busy)
    with pytest.raises(CommandError) as refused:
        dev.check_ports()

    assert str(refused.value).startswith(f"Port {busy} cannot be used (")
    assert str(refused.value).endswith(f"stop what uses it, or set {variable} to another.")


def test_the_embedded_valkey_runs_only_where_no_redis_is_named(settings):
    settings.EMBEDDED_VALKEY = False
    assert set(dev.processes()) == {"web", "grpc", "worker", "beat", "relay"}
    settings.EMBEDDED_VALKEY = True
    assert set(dev.processes()) == {"web", "grpc", "worker", "beat", "relay", "valkey"}


@pytest.mark.django_db
def test_demo_data_is_loaded_once(settings):
    settings.DEBUG = True
    call_command("seed")
    users = list(get_user_model().objects.order_by("id"))
    call_command("seed")

    assert len(users) == 1
    assert list(get_user_model().objects.order_by("id")) == users


@pytest.mark.django_db
def test_demo_data_is_not_loaded_into_a_database_that_is_in_use(settings):
    settings.DEBUG = True
    somebody = get_user_model().objects.create_user("somebody@example.com")
    call_command("seed")

    assert get_user_model().objects.get() == somebody


@pytest.mark.django_db
def test_demo_data_is_refused_in_production(settings):
    settings.DEBUG = False
    with pytest.raises(CommandError, match="known passwords"):
        call_command("seed")

    assert not get_user_model().objects.exists()
