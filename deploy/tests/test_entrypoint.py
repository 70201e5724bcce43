"""deploy/entrypoint.sh with programs in the place of the real ones that say how they were started."""

import subprocess
from pathlib import Path

import pytest

ENTRYPOINT = Path(__file__).resolve().parent.parent / "entrypoint.sh"
PROGRAM = """#!/bin/sh
echo "$(basename "$0") $*"
echo "pid=$$ remap=${REMAP_SIGTERM:-}"
"""


@pytest.fixture
def start(tmp_path):
    for name in ("gunicorn", "celery", "python", "supervisord"):
        (tmp_path / name).write_text(PROGRAM)
        (tmp_path / name).chmod(0o755)

    def start(*words, **variables):
        environ = {"PATH": f"{tmp_path}:/usr/bin:/bin", **variables}
        process = subprocess.Popen([ENTRYPOINT, *words], env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        output, _ = process.communicate(timeout=10)
        return process, output.decode().splitlines()

    return start


@pytest.mark.parametrize(
    ("role", "command"),
    [
        ("web", "gunicorn -c python:project.gunicorn project.wsgi"),
        ("grpc", "python manage.py grpcrunserver"),
        ("beat", "celery -A project beat --pidfile= --loglevel WARNING"),
        ("relay", "python manage.py relay"),
        ("manage", "python manage.py"),
    ],
)
def test_a_role_takes_the_place_of_the_shell_so_that_signals_reach_it(start, role, command):
    process, lines = start(role)

    assert lines[0] == command
    assert lines[1].startswith(f"pid={process.pid} ")


def test_what_stands_behind_a_role_is_handed_on(start):
    assert start("grpc", "--processes", "2")[1][0] == "python manage.py grpcrunserver --processes 2"
    assert start("manage", "shell", "-c", "1")[1][0] == "python manage.py shell -c 1"


def test_a_worker_gets_its_time_and_may_have_options(start):
    process, lines = start("worker", "--concurrency", "3", WORKER_GRACE="7")

    assert lines[0].startswith("celery -A project worker --pool prefork ")
    assert lines[0].endswith("--concurrency 3 -- worker.soft_shutdown_timeout=7")
    assert f"pid={process.pid} remap=SIGQUIT" in lines[1]


def test_migrating_sees_to_the_schedules(start):
    lines = start("migrate")[1]

    assert lines[0] == "python manage.py migrate --noinput"
    assert lines[2] == "python manage.py schedules"


@pytest.mark.parametrize("words", [[], ["webb"]])
def test_another_word_is_refused(start, words):
    assert start(*words)[0].returncode == 64
