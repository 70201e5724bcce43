"""`manage.py remove NAME...`: takes domains and parts out of the tree, with all that names them."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from framework import discovery
from tools import git_release, parts
from tools.new import generate
from tools.new.spec import SpecRefused


class Command(BaseCommand):
    help = "Removes domains and parts, as in: remove shop benchmarks. They are listed without a name."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("names", nargs="*", metavar="NAME")
        parser.add_argument("--dry-run", action="store_true", help="show what would go, and remove nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        names = check(options["names"])
        for path in parts.folders(settings.BASE_DIR, names):
            self.stdout.write(f"removed  {path}")
        for path in parts.texts_without(settings.BASE_DIR, names):
            self.stdout.write(f"changed  {path}")
        if options["dry_run"]:
            return
        remove(names)
        for line in git_release.named(names):
            self.stdout.write(f"still named in  {line}")
        self.stdout.write(self.style.SUCCESS("Next: ./run check && ./run test, or `git restore .` to take it back"))


def check(names: Sequence[str]) -> list[str]:
    """The names with what goes along. Raises CommandError for what cannot go, with the cure."""
    there = parts.present(settings.BASE_DIR)
    if unknown := [name for name in names if name not in there]:
        raise CommandError(f"There is no {unknown[0]!r} to remove. There are: {', '.join(there)}.")
    if not names:
        raise CommandError(f"Say what to remove: {', '.join(there)}.")
    if changed := git_release.uncommitted():
        raise CommandError(f"Commit your changes first, so that git can take the removal back:\n{changed}")
    found = parts.with_dependents(settings.BASE_DIR, names)
    for caller, package in settings.DOMAINS.items():
        if caller not in found and (called := set(discovery.calls(package)) & set(found)):
            raise CommandError(f"{caller} calls {min(called)}: remove {caller}, too, or its calls first.")
    return found


def remove(names: Sequence[str]) -> None:
    """Remove them, and generate anew what is made from the rest. Raises CommandError with what a program said."""
    try:
        parts.remove(settings.BASE_DIR, names)
        generate.derive(settings.BASE_DIR, "settings_docs", "schema_check --write", "protos --release")
    except (RuntimeError, SpecRefused) as error:
        raise CommandError(f"{error}\n`git restore .` takes the removal back.") from None
