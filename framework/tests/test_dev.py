"""The commands that set a system up and run it."""

import os
import pty
import socket
import sys
import time
from contextlib import contextmanager
from datetime import timedelta
from types import SimpleNamespace

import pytest
from cryptography import x509
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command

from framework import context
from framework.management import certificate, devserver, ports
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


@contextmanager
def terminal():
    """A pseudo-terminal as standard input; yields the end that a person would sit at."""
    person, device = pty.openpty()
    stdin = sys.stdin
    try:
        with os.fdopen(os.dup(device)) as sys.stdin:
            yield person
    finally:
        sys.stdin = stdin
        os.close(device)
        os.close(person)


def stopped():
    with context.within(0.01):
        answer = 6 * 7
        breakpoint()
        time.sleep(0.02)
        context.check_deadline()
    sys.exit(answer)


def test_a_breakpoint_in_a_role_opens_the_terminal_and_lifts_the_deadline(monkeypatch, capfd):
    monkeypatch.setenv("PYTHONBREAKPOINT", "")
    monkeypatch.delenv("PYTHONBREAKPOINT")
    monkeypatch.setenv(devserver.TERMINAL, "")
    with terminal() as person:
        devserver._offer_debugger()
        team = devserver.Team([])
        team.start("web", stopped)
        said = b""
        while b"(Pdb)" not in said:
            said += os.read(person, 1024)
        os.write(person, b"p answer + 1\ncontinue\n")
        while b"43" not in said:
            said += os.read(person, 1024)
        while "ended" not in (printed := capfd.readouterr().out):
            team.watch(0.1)

    assert b"stopped()" in said
    assert printed == "web    | ended with code 42; it starts again when a file changes\n"


def test_without_a_terminal_breakpoint_stays_pythons_own(monkeypatch):
    monkeypatch.delenv("PYTHONBREAKPOINT", raising=False)
    with open(os.devnull) as null:
        monkeypatch.setattr(sys, "stdin", null)
        devserver._offer_debugger()

    assert "PYTHONBREAKPOINT" not in os.environ


def test_a_certificate_is_made_once_for_this_machine_alone(tmp_path):
    path, key = certificate.prepare(tmp_path / "https")
    made = path.read_bytes()
    found = x509.load_pem_x509_certificate(made)
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value

    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    assert list(map(str, names.get_values_for_type(x509.IPAddress))) == ["127.0.0.1", "::1"]
    assert key.stat().st_mode & 0o777 == 0o600
    assert certificate.prepare(tmp_path / "https") == (path, key)
    assert path.read_bytes() == made


def test_a_certificate_that_ends_soon_is_made_anew(tmp_path, monkeypatch):
    monkeypatch.setattr(certificate, "VALID", timedelta(days=29))
    path, _ = certificate.prepare(tmp_path)
    old = path.read_bytes()
    monkeypatch.undo()
    certificate.prepare(tmp_path)

    assert path.read_bytes() != old


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
