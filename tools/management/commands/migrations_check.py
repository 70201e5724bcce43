"""`manage.py migrations_check`: whether the migrations that are not released yet can run while the system serves.

They are applied to an empty PostgreSQL database of their own, and the statements that they send are looked at: by
django-migration-linter (would the release before this one still work?) and squawk (who waits for what?).
"""

import re
import subprocess
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, cast

import sqlparse
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from framework.ids import install_on_postgresql
from tools import git_release as releases
from tools import programs

POSTGRESQL = "15"  # the oldest that is supported
OTHERWISE = (  # what squawk asks for and this project does otherwise
    "prefer-text-field",  # Django's columns have lengths
    "prefer-bigint-over-int",  # quantities and versions, not ids
    "prefer-bigint-over-smallint",  # a priority
    "require-lock-timeout",  # `migrate` sets both for all migrations
    "require-statement-timeout",
)
ACCEPTED: dict[tuple[str, str], str] = {}
_CHANGES = re.compile(r"(ALTER|CREATE|DROP|COMMENT|UPDATE|DELETE|TRUNCATE|LOCK|WITH|DO)\b", re.IGNORECASE)
_LITERAL = re.compile(r"'(?:[^']|'')*'")
_INNERMOST = re.compile(r"\([^()]*\)")


class Sent(NamedTuple):
    """What a migration sends: the statements that change anything, and whether they are one transaction."""

    atomic: bool
    sql: list[str]


class Command(BaseCommand):
    help = "Checks that new migrations can run while the release before this one serves. Needs PostgreSQL."

    def handle(self, *args: Any, **options: Any) -> None:
        call_command("makemigrations", check=True, dry_run=True, verbosity=0)
        if connection.vendor != "postgresql":
            self.stdout.write("migrations_check: SKIPPED, it needs PostgreSQL: set DATABASE_URL")
            return
        new = [key for key in releases.new_migrations() if key not in ACCEPTED]
        with _scratch_database():
            sent = statements()
        problems = [f"{app}.{name}: {problem}" for app, name in new for problem in problems_of(sent[app, name])]
        for problem in problems:
            self.stderr.write(problem)
        if problems:
            raise CommandError(f"{len(problems)} problem(s) in new migrations: docs/migrations.md says how else.")
        self.stdout.write(f"migrations_check: nothing wrong with {len(new)} new migration(s)")


def problems_of(sent: Sent) -> list[str]:
    """What is wrong with a migration."""
    return [*_incompatible(sent), *_blocking(sent), *_holding(sent)]


def statements() -> dict[tuple[str, str], Sent]:
    """Apply all migrations; returns what each sends."""
    sent: dict[tuple[str, str], Sent] = {}
    current: list[str] = []

    def progress(action: str, migration: Any = None, fake: bool = False) -> None:
        nonlocal current
        if action == "apply_start":
            current = []
            sent[migration.app_label, migration.name] = Sent(migration.atomic, current)

    def record(execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
        current.extend(changes_in(str(sql), params))
        return execute(sql, params, many, context)

    install_on_postgresql(connection.alias)
    with connection.execute_wrapper(record):
        executor = MigrationExecutor(connection, cast(Any, progress))
        executor.migrate(executor.loader.graph.leaf_nodes())
    return sent


def changes_in(sql: str, params: Any = None) -> list[str]:
    """Of one or more statements, those that change or lock anything, without comments; NULL stands for values."""
    text = sql.replace("%s", "NULL").replace("%%", "%") if params else sql
    statements = (sqlparse.format(part, strip_comments=True).strip() for part in sqlparse.split(text))
    return [statement for statement in statements if _CHANGES.match(statement)]


def _holding(sent: Sent) -> Iterator[str]:
    """What neither linter looks for: statements that hold locks on all of a table's rows until the commit."""
    for statement in sent.sql:
        words = _outermost(statement).upper().split()
        if words[0] == "LOCK":
            yield f"LOCK: everybody who uses the table waits for the commit: {statement}"
        elif {"UPDATE", "DELETE"} & set(words[:1] if words[0] != "WITH" else words) and "WHERE" not in words:
            yield f"FULL_TABLE: locks every row until the commit; change rows in batches instead: {statement}"


def _outermost(statement: str) -> str:
    """The statement without literals and without what is in parentheses."""
    text = _LITERAL.sub("''", statement)
    while (shorter := _INNERMOST.sub(" ", text)) != text:
        text = shorter
    return text


def _incompatible(sent: Sent) -> list[str]:
    from django_migration_linter.sql_analyser.analyser import analyse_sql_statements  # of dev.txt
    from django_migration_linter.sql_analyser.postgresql import PostgresqlAnalyser

    errors, _, _ = analyse_sql_statements(PostgresqlAnalyser, sent.sql, [])
    return [f"{error.code}: {error.message}" for error in errors]


def _blocking(sent: Sent) -> list[str]:
    command = [
        programs.path("squawk"),
        "--reporter",
        "gcc",
        "--pg-version",
        POSTGRESQL,
        "--exclude",
        ",".join(OTHERWISE),
    ]
    command += ["--assume-in-transaction"] if sent.atomic else []
    text = "".join(f"{statement.rstrip(';')};\n" for statement in sent.sql)
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if done.returncode and not done.stdout:
        raise CommandError(f"squawk: {done.stderr}")
    return re.findall(r"^stdin:\d+:\d+: \w+: (.*)$", done.stdout, re.MULTILINE)


@contextmanager
def _scratch_database() -> Iterator[None]:
    name, own = f"migrations_check_{uuid.uuid4().hex}", connection.settings_dict["NAME"]
    with connection.cursor() as cursor:
        cursor.execute(f'CREATE DATABASE "{name}"')
    connection.close()
    connection.settings_dict["NAME"] = name
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict["NAME"] = own
        with connection.cursor() as cursor:
            cursor.execute(f'DROP DATABASE "{name}"')
