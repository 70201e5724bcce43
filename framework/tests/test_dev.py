"""The commands that set a system up and run it."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command

from framework import devserver
from framework.management.commands import dev, valkey
from framework.testing.plugin import free_port


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


def test_the_embedded_valkey_runs_only_where_no_redis_is_named(settings, monkeypatch):
    started = []
    monkeypatch.setattr(dev.subprocess, "Popen", lambda words, **_: started.append(words) or SimpleNamespace(pid=7))
    monkeypatch.setenv(devserver.VALKEY, "")
    settings.EMBEDDED_VALKEY = False
    dev.start_valkey()
    assert started == []
    settings.EMBEDDED_VALKEY = True
    dev.start_valkey()
    assert started == [valkey.command()]
    assert os.environ[devserver.VALKEY] == "7"


class System:
    """`python -m framework.devserver` on a copy of the project, which a test may break."""

    def __init__(self, folder):
        self.folder, self.port, self.ports = folder, free_port(), []
        for name in ("apps", "framework", "project", "protos"):
            shutil.copytree(name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "tests", "static"))
        grpc_port = free_port()
        self.ports = [self.port, grpc_port]
        environ = {**os.environ, "PORT": str(self.port), "GRPC_PORT": str(grpc_port), "DATA_DIR": str(folder / "var")}
        environ |= {"DATABASE_URL": "", "PYTHONUNBUFFERED": "1"}
        self.output = (folder / "output").open("w+")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "framework.devserver"],
            cwd=folder,
            env=environ,
            stdout=self.output,
            stderr=self.output,
        )

    def printed(self, text):
        return (self.folder / "output").read_text().count(text)

    def is_up(self):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return True
        return False

    def wait_for(self, condition, seconds=60):
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, (self.folder / "output").read_text()
            time.sleep(0.05)


@pytest.fixture
def system(tmp_path):
    running = System(tmp_path)
    yield running
    running.process.send_signal(signal.SIGTERM)
    running.process.wait(30)
    running.output.close()


def test_the_system_survives_broken_code_and_its_launchers_death(system):
    system.wait_for(system.is_up)
    module = system.folder / "apps" / "accounts" / "entities.py"
    code = module.read_text()
    module.write_text(code + "\ndef broken(:\n")
    system.wait_for(lambda: system.printed("The system starts when a file changes."))
    assert system.printed("SyntaxError: invalid syntax") == 1
    system.wait_for(lambda: system.process.poll() is None)

    module.write_text(code)
    system.wait_for(lambda: system.printed("The system starts again.") and system.is_up())

    system.process.kill()
    system.process.wait()
    system.wait_for(lambda: not system.is_up())
    with socket.socket() as test:  # nor does gRPC hold its port
        test.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        system.wait_for(lambda: test.connect_ex(("127.0.0.1", system.ports[1])) != 0)


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

    assert len(users) == 2
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
