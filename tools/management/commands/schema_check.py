"""`manage.py schema_check`: what a change of the GraphQL schema would break for clients that are out there."""

import subprocess
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from graphql import GraphQLSchema, build_schema, find_breaking_changes, find_dangerous_changes

from project.schema import schema
from tools import accepted

SNAPSHOT = settings.BASE_DIR / "project" / "schema.graphql"
ACCEPTED = settings.BASE_DIR / "docs" / "schema-changes.md"


def text() -> str:
    """The schema as it is now, in the schema definition language."""
    return str(schema) + "\n"


def changes(old: GraphQLSchema, new: GraphQLSchema) -> list[str]:
    """What breaks clients, or may surprise them, in words."""
    found = [*find_breaking_changes(old, new), *find_dangerous_changes(old, new)]
    return [f"{change.type.name}: {change.description}" for change in found]  # type: ignore[attr-defined]


class Command(BaseCommand):
    help = "Lists breaking and dangerous changes of the schema since a release; fails for those without a reason."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--against", metavar="REF", help="A git ref; the last tag when left out.")
        parser.add_argument("--write", action="store_true", help=f"Write {SNAPSHOT.name} instead of checking.")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["write"]:
            SNAPSHOT.write_text(text())
            self.stdout.write(f"{SNAPSHOT.relative_to(settings.BASE_DIR)}: written")
            return
        reference = options["against"] or _last_release()
        accepted.check(changes(build_schema(_at(reference)), build_schema(text())), ACCEPTED, reference, self.stdout)
        self.stdout.write(self.style.SUCCESS(f"Nothing new breaks clients of {reference}."))


def _last_release() -> str:
    try:
        return _git("describe", "--tags", "--abbrev=0").strip()
    except CommandError:
        return "HEAD"  # nothing is released yet


def _at(reference: str) -> str:
    return _git("show", f"{reference}:{SNAPSHOT.relative_to(settings.BASE_DIR)}")


def _git(*words: str) -> str:
    command = ["git", "-C", str(settings.BASE_DIR), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CommandError(f"git {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout
