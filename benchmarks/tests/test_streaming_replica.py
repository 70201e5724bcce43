"""A primary and a replica that streams from it, in a temporary folder."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from django.conf import settings

from benchmarks.faults.stores import Postgres

BINARIES = [*Path("/usr/lib/postgresql").glob("*/bin/pg_basebackup"), shutil.which("pg_basebackup")]

pytestmark = pytest.mark.skipif(not any(BINARIES), reason="needs PostgreSQL's own programs: apt install postgresql")


@pytest.fixture(scope="module")
def cluster():
    folder = Path(tempfile.mkdtemp(prefix="replica-"))  # pytest's own is closed to PostgreSQL's user
    folder.chmod(0o755)
    started = []
    try:
        started.append(Postgres(folder / "primary"))
        started.append(Postgres(folder / "replica", started[0]))
        yield started
    finally:
        for server in reversed(started):
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def test_a_visitor_is_answered_by_the_replica_and_whoever_wrote_by_the_primary(cluster):
    primary, replica = cluster
    urls = {"DATABASE_URL": primary.url("postgres"), "DATABASE_REPLICA_URL": replica.url("postgres")}
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.tests.replica_session", str(replica.process.pid)],
        env=os.environ | urls | {"REDIS_URL": settings.REDIS_URL, "DJANGO_SETTINGS_MODULE": "project.settings"},
        cwd=settings.BASE_DIR,
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )

    assert json.loads(done.stdout.splitlines()[-1]) == {
        "visitor, caught up": ["A"],
        "staff, who wrote": ["A", "B"],
        "visitor, replica behind": ["A"],
        "visitor, replica down": ["A", "B"],
    }
