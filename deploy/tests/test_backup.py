"""deploy/backup.sh on a database and a folder of the test's own."""

import os
import shutil
import subprocess
from pathlib import Path

import psycopg
import pytest

SCRIPT = Path(__file__).resolve().parent.parent / "backup.sh"
SERVER, _, _ = os.environ.get("DATABASE_URL", "").rpartition("/")
NAME = "backup_check"

pytestmark = [
    pytest.mark.skipif(not SERVER, reason="needs PostgreSQL: set DATABASE_URL"),
    pytest.mark.skipif(not (shutil.which("age") and shutil.which("pg_dump")), reason="needs age and pg_dump"),
]


def administer(statement):
    with psycopg.connect(f"{SERVER}/postgres", autocommit=True) as connection:
        connection.execute(statement)


def databases():
    with psycopg.connect(f"{SERVER}/postgres") as connection:
        names = connection.execute("SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [NAME])
        return [name for (name,) in names]


def rows():
    with psycopg.connect(f"{SERVER}/{NAME}") as connection:
        return connection.execute("SELECT text FROM note").fetchall()


@pytest.fixture
def environment(tmp_path):
    administer(f"DROP DATABASE IF EXISTS {NAME} WITH (FORCE)")
    administer(f"CREATE DATABASE {NAME}")
    with psycopg.connect(f"{SERVER}/{NAME}") as connection:
        connection.execute("CREATE TABLE note AS SELECT 'kept' AS text")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "letter.txt").write_text("Dear customer")
    identity = tmp_path / "identity"
    said = subprocess.run(["age-keygen", "-o", str(identity)], check=True, capture_output=True, text=True).stderr
    yield os.environ | {
        "DATABASE_URL": f"{SERVER}/{NAME}?application_name=backup",
        "DATA_DIR": str(tmp_path / "data"),
        "BACKUP_RECIPIENT": said.split()[-1],
        "BACKUP_IDENTITY": str(identity),
    }
    administer(f"DROP DATABASE IF EXISTS {NAME} WITH (FORCE)")


def run(environment, *words, answer=""):
    return subprocess.run([str(SCRIPT), *words], env=environment, input=answer, capture_output=True, text=True)


def test_what_was_backed_up_comes_back(environment, tmp_path):
    place = run(environment, "backup", str(tmp_path / "backups")).stdout.strip()
    letter = tmp_path / "data" / "letter.txt"
    letter.unlink()
    administer(f"DROP DATABASE {NAME} WITH (FORCE)")
    restored = run(environment, "restore", place, answer="y\n")

    assert (restored.returncode, restored.stderr) == (0, "")
    assert databases() == [NAME]
    assert rows() == [("kept",)]
    assert letter.read_text() == "Dear customer"


def test_nobody_reads_a_backup_without_the_key(environment, tmp_path):
    place = Path(run(environment, "backup", str(tmp_path / "backups")).stdout.strip())

    assert sorted(path.name for path in place.iterdir()) == ["database.age", "files.age"]
    assert all(path.read_bytes().startswith(b"age-encryption.org/v1\n") for path in place.iterdir())
    assert not any(b"Dear customer" in path.read_bytes() for path in place.iterdir())
    assert place.stat().st_mode & 0o077 == 0


def test_a_damaged_backup_changes_no_database(environment, tmp_path):
    place = Path(run(environment, "backup", str(tmp_path / "backups")).stdout.strip())
    damaged = place / "database.age"
    damaged.write_bytes(damaged.read_bytes()[:-100])
    with psycopg.connect(f"{SERVER}/{NAME}") as connection:
        connection.execute("UPDATE note SET text = 'newer'")
    refused = run(environment, "restore", str(place), "--yes")

    assert refused.returncode != 0
    assert rows() == [("newer",)]
    assert databases() == [NAME]


@pytest.mark.parametrize("answer", ["n\n", "\n"])
def test_a_restore_asks_first(environment, tmp_path, answer):
    place = run(environment, "backup", str(tmp_path / "backups")).stdout.strip()
    (tmp_path / "data" / "letter.txt").write_text("newer")
    refused = run(environment, "restore", place, answer=answer)

    assert "nothing was changed" in refused.stderr
    assert (tmp_path / "data" / "letter.txt").read_text() == "newer"


@pytest.mark.parametrize(
    ("missing", "words"),
    [("DATABASE_URL", ["backup", "x"]), ("BACKUP_RECIPIENT", ["backup", "x"]), ("BACKUP_IDENTITY", ["restore", "x"])],
)
def test_what_is_missing_is_named_and_nothing_is_written(environment, tmp_path, missing, words):
    environment[missing] = ""
    refused = run(environment, words[0], str(tmp_path / words[1]))

    assert refused.returncode == 1
    assert missing in refused.stderr
    assert not (tmp_path / "x").exists()
