import os
import time

import pytest

from deploy import healthcheck

LOOPS = ["worker", "beat", "relay"]
SILENCE = healthcheck.SILENCE


@pytest.fixture(autouse=True)
def alive(tmp_path, monkeypatch):
    """Makes the file of a role, touched so many seconds ago."""
    monkeypatch.setattr(healthcheck, "ALIVE", f"{tmp_path}/alive-{{}}")

    def touched(role, seconds):
        path = tmp_path / f"alive-{role}"
        path.touch()
        os.utime(path, (time.time() - seconds,) * 2)

    return touched


@pytest.mark.parametrize(
    ("command_line", "role"),
    [
        ("/usr/bin/tini\0--\0deploy/entrypoint.sh\0web\0", "web"),
        ("/sbin/docker-init\0--\0/usr/bin/tini\0--\0deploy/entrypoint.sh\0grpc\0--processes\0002\0", "grpc"),
        ("/bin/sh\0", ""),
    ],
)
def test_the_health_check_knows_its_role(command_line, role):
    assert healthcheck.role(command_line) == role


@pytest.mark.parametrize("role", ["web", "grpc"])
def test_a_server_that_is_away_is_not_healthy(role, monkeypatch, capsys):
    monkeypatch.setenv("PORT", "1")
    monkeypatch.setenv("GRPC_PORT", "1")

    assert not healthcheck.healthy(role)
    assert capsys.readouterr().err.startswith(f"{role}: ")


@pytest.mark.parametrize("role", LOOPS)
@pytest.mark.parametrize(("seconds", "healthy"), [(0, True), (SILENCE - 5, True), (SILENCE + 1, False)])
def test_a_loop_is_healthy_while_it_turns(role, seconds, healthy, alive, capsys):
    alive(role, seconds)

    assert healthcheck.healthy(role) == healthy
    assert capsys.readouterr().err == ("" if healthy else f"{role}: it is silent\n")


@pytest.mark.parametrize("role", LOOPS)
def test_a_loop_that_never_turned_is_not_healthy(role, capsys):
    assert not healthcheck.healthy(role)
    assert "No such file" in capsys.readouterr().err


@pytest.mark.parametrize("hung", [None, *healthcheck.CHECKS])
def test_a_container_with_all_roles_is_healthy_when_each_is(hung, monkeypatch):
    checks = {role: lambda role=role: role != hung for role in healthcheck.CHECKS}
    monkeypatch.setattr(healthcheck, "CHECKS", checks)

    assert healthcheck.healthy("all") == (hung is None)


def test_what_is_no_role_is_left_alone():
    assert healthcheck.healthy("manage")
