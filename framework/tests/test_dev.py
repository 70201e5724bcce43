"""The commands that set a system up and run it."""

import os
import socket
import sys
import time
from types import SimpleNamespace

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command

from framework.management import devserver, ports
from framework.management.commands import dev, valkey


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
    assert str(refused.value).endswith(f". Or set {variable} to another.")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells who listens")
def test_who_holds_a_port_is_named(settings, busy):
    settings.PORT, settings.GRPC_PORT, settings.EMBEDDED_VALKEY = busy, 0, False
    with pytest.raises(CommandError, match=rf"stop process {os.getpid()}: .*python.*\. Or set PORT"):
        dev.check_ports()

    assert ports.holder(1) == ""


def test_the_embedded_valkey_runs_only_where_no_redis_is_named(settings, monkeypatch):
    started = []
    monkeypatch.setattr(dev.subprocess, "Popen", lambda words, **_: started.append(words) or SimpleNamespace(pid=7))
    monkeypatch.setenv(devserver.VALKEY, "")
    settings.EMBEDDED_VALKEY = False
    dev.start_valkey()
    assert started == []
    settings.EMBEDDED_VALKEY = True
    dev.start_valkey()
    assert started == [valkey.command(settings.VALKEY_PORT, settings.DATA_DIR / "valkey")]
    assert os.environ[devserver.VALKEY] == "7"


def test_a_changed_file_changes_the_snapshot(tmp_path, monkeypatch):
    (tmp_path / "apps").mkdir()
    (tmp_path / "apps" / "one.py").write_text("")
    monkeypatch.chdir(tmp_path)
    before = devserver.snapshot()
    assert list(before) == ["apps/one.py"]

    os.utime(tmp_path / "apps" / "one.py", (1, 1))
    assert devserver.snapshot() != before


def test_a_role_that_fails_is_told_and_takes_nobody_along(capfd):
    team = devserver.Team([])
    team.start("good", lambda: time.sleep(60))
    team.start("bad", lambda: sys.exit(3))
    while "ended" not in (said := capfd.readouterr().out):
        team.watch(0.1)

    assert "bad    | ended with code 3" in said
    assert len(team.pids) == 1
    team.stop(0)
    assert team.pids == set()


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
