"""deploy/supervisord.conf, with programs in the place of the real ones."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parent.parent
SUPERVISORD = shutil.which("supervisord")
PROGRAM = """#!/bin/sh
echo "$$ $*" >> "$STARTED"
exec sleep 600
"""

pytestmark = pytest.mark.skipif(SUPERVISORD is None, reason="needs supervisord: ./run check deploy has it")


@pytest.fixture
def started(tmp_path):
    """Looks up the process ids of each role's starts."""
    log = tmp_path / "started"
    for name in ("gunicorn", "celery", "python"):
        (tmp_path / name).write_text(PROGRAM)
        (tmp_path / name).chmod(0o755)
    text = (FOLDER / "supervisord.conf").read_text().replace("/tmp/", f"{tmp_path}/").replace("%(here)s", str(FOLDER))
    (tmp_path / "supervisord.conf").write_text(text)
    environ = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}", "STARTED": str(log)}
    command = [SUPERVISORD, "--nodaemon", "--configuration", str(tmp_path / "supervisord.conf")]
    process = subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def look(word, times):
        for _ in range(200):
            lines = log.read_text().splitlines() if log.exists() else []
            found = [int(line.split()[0]) for line in lines if word in line.split()]
            if len(found) >= times:
                return found
            time.sleep(0.05)
        raise AssertionError(f"{word} was not started {times} times")

    yield look
    process.terminate()
    process.wait(20)


@pytest.mark.parametrize("word", ["project.wsgi", "grpcrunserver", "worker", "beat", "relay"])
def test_a_role_that_is_killed_is_started_again(started, word):
    (first,) = started(word, 1)
    time.sleep(1.1)  # it counts as started after a second
    os.kill(first, signal.SIGKILL)

    assert started(word, 2)[0] == first
