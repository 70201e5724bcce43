"""A release comes while the one before it serves: what migrations may do, and how long they may wait."""

import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
import threading

import pytest
from django.core.management import call_command
from django.db import OperationalError, connection, connections

from framework.management.commands import migrate
from tools import git_release as releases
from tools.management.commands import migrations_check
from tools.management.commands.migrations_check import Sent, changes_in, problems_of

# Tests of the release before that use the tables of all domains, in a few seconds.
OF_THE_RELEASE_BEFORE = ("apps/*/tests/test_tasks.py", "framework/queue/tests/test_queue.py")


@pytest.mark.django_db
def test_the_models_have_their_migrations():
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


def test_the_release_before_works_on_the_schema_of_this_one(tmp_path):
    release = releases.previous_or_parent()
    if not release:
        pytest.skip("there is no release before this one: no tag, and no commit but the last")
    releases.unpack(release, tmp_path / "code")
    environ = {**os.environ, "DATA_DIR": str(tmp_path), "DATABASE_URL": "", "DEBUG": "1"}
    subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], env=environ, check=True)
    shutil.move(tmp_path / "db.sqlite3", tmp_path / "test.sqlite3")
    with contextlib.closing(sqlite3.connect(tmp_path / "test.sqlite3")) as database:
        database.execute("CREATE TABLE came_with_this_release (id)")
    known = [path for pattern in OF_THE_RELEASE_BEFORE for path in sorted((tmp_path / "code").glob(pattern))]
    command = [sys.executable, "-m", "pytest", "-q", "-x", "--reuse-db", "-p", "no:cacheprovider", *known]
    done = subprocess.run(command, env=environ, cwd=tmp_path / "code", capture_output=True, text=True, check=False)

    assert done.returncode == 0, (
        f"{release} does not work on the new schema:\n{done.stdout[-3000:]}{done.stderr[-1000:]}"
    )
    assert " passed" in done.stdout
    with contextlib.closing(sqlite3.connect(tmp_path / "test.sqlite3")) as database:
        database.execute("SELECT * FROM came_with_this_release")


@pytest.mark.parametrize(
    ("sql", "named"),
    [
        ('ALTER TABLE "t" DROP COLUMN "c" CASCADE', ["DROP_COLUMN", "ban-drop-column"]),
        ('ALTER TABLE "t" RENAME COLUMN "c" TO "d"', ["RENAME_COLUMN", "renaming-column"]),
        ('DROP TABLE "t" CASCADE', ["DROP_TABLE", "ban-drop-table"]),
        ('ALTER TABLE "t" ADD COLUMN "c" integer NOT NULL', ["NOT_NULL", "adding-required-field"]),
        ('CREATE INDEX "i" ON "t" ("c")', ["require-concurrent-index-creation"]),
        ('ALTER TABLE "t" ALTER COLUMN "c" TYPE bigint', ["ALTER_COLUMN", "changing-column-type"]),
        ('UPDATE "t" SET "c" = 1', ["FULL_TABLE"]),
        ("UPDATE t SET c = (SELECT d FROM u WHERE u.id = t.id), e = 'x WHERE y'", ["FULL_TABLE"]),
        ("WITH u AS (SELECT 1 WHERE true) UPDATE t SET c = 1", ["FULL_TABLE"]),
        ("DELETE FROM t", ["FULL_TABLE"]),
        ("LOCK TABLE t IN EXCLUSIVE MODE", ["LOCK"]),
    ],
)
def test_what_breaks_or_blocks_the_release_before_is_named(sql, named):
    found = "\n".join(problems_of(Sent(True, [sql])))

    assert [name for name in named if name not in found] == []


@pytest.mark.parametrize(
    ("atomic", "sql"),
    [
        (True, 'ALTER TABLE "t" ADD COLUMN "c" timestamp with time zone NULL'),
        (True, """ALTER TABLE "t" ADD COLUMN "c" varchar(10) DEFAULT 'a' NOT NULL"""),
        (True, 'CREATE TABLE "t" ("id" bigint NOT NULL PRIMARY KEY, "name" varchar(10) NOT NULL UNIQUE)'),
        (False, 'UPDATE "t" SET "c" = NULL WHERE ("t"."id" >= NULL AND "t"."id" < NULL)'),
        (False, 'CREATE INDEX CONCURRENTLY IF NOT EXISTS "i" ON "t" ("c")'),
    ],
)
def test_what_may_be_done_while_others_work_passes(atomic, sql):
    assert problems_of(Sent(atomic, [sql])) == []


def test_of_a_script_each_statement_is_looked_at():
    script = "-- first\nSELECT 1; /* then */ LOCK TABLE t;\nUPDATE t SET c = 'a;b';"

    assert changes_in(script) == ["LOCK TABLE t;", "UPDATE t SET c = 'a;b';"]


def test_a_data_migration_is_no_syntax_error():
    """As the ORM sends it: with placeholders."""
    (statement,) = changes_in('UPDATE "t" SET "c" = %s, "d" = \'5%%\' WHERE "t"."id" IN (%s, %s)', ("x", 1, 2))

    assert statement == """UPDATE "t" SET "c" = NULL, "d" = '5%' WHERE "t"."id" IN (NULL, NULL)"""
    assert problems_of(Sent(True, [statement])) == []


def test_what_is_accepted_exists():
    known = set(releases.new_migrations()) if not releases.previous() else migrations_check.ACCEPTED.keys()

    assert migrations_check.ACCEPTED.keys() <= known


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_the_migrations_that_are_not_released_pass(capsys):
    call_command("migrations_check")

    assert "nothing wrong with" in capsys.readouterr().out


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_a_migration_that_would_wait_for_a_lock_fails_instead(monkeypatch):
    def work(self, *args, **options):
        with connection.cursor() as cursor:
            cursor.execute("TRUNCATE queue_heartbeat")  # waits for all who read it

    monkeypatch.setattr(migrate.migrate.Command, "handle", work)
    locked, done = threading.Event(), threading.Event()

    def hold():
        other = connections.create_connection("default")
        with other.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("SELECT * FROM queue_heartbeat")
            locked.set()
            done.wait(10)
            cursor.execute("ROLLBACK")
        other.close()

    thread = threading.Thread(target=hold)
    thread.start()
    assert locked.wait(5)
    try:
        with pytest.raises(OperationalError, match="lock timeout"):
            call_command("migrate", lock_timeout=0.1)
    finally:
        done.set()
        thread.join()


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_the_limits_are_those_of_the_migration_alone(monkeypatch):
    def limits():
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('lock_timeout'), current_setting('statement_timeout')")
            return cursor.fetchone()

    seen = []
    before = limits()
    monkeypatch.setattr(migrate.migrate.Command, "handle", lambda self, *args, **options: seen.append(limits()))
    call_command("migrate")
    call_command("migrate", lock_timeout=0, statement_timeout=0)

    assert seen == [("5s", "5min"), ("0", "0")]
    assert limits() == before
