"""`manage.py adopt "Praxis One"`: the template becomes a product of that name."""

import subprocess
from typing import Annotated, Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from pydantic import TypeAdapter, ValidationError

from project.env import Env
from tools import adopt, git_release, parts
from tools.management.commands import remove
from tools.new import generate

NAME = Env.model_fields["project_name"]


class Command(BaseCommand):
    help = 'Makes the template a product: adopt "Praxis One" --without shop,ecs. Commits the result.'
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help='the product\'s, as in "Praxis One"')
        parser.add_argument("--without", default="", metavar="NAME,...", help="parts to remove: see ./run remove")
        parser.add_argument("--dry-run", action="store_true", help="show what would change, and change nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        name, unwanted = _checked(options["name"]), [part for part in options["without"].split(",") if part]
        gone = remove.check(unwanted) if unwanted else []
        if changed := git_release.uncommitted():
            raise CommandError(f"Commit your changes first, so that git can take it back:\n{changed}")
        texts = adopt.texts(settings.BASE_DIR, NAME.default, name, git_release.described())
        folders = parts.folders(settings.BASE_DIR, gone)
        for path in folders:
            self.stdout.write(f"removed  {path}")
        for path in sorted({*texts, *parts.texts_without(settings.BASE_DIR, gone)}):
            if not path.startswith(tuple(f"{folder}/" for folder in folders)):
                self.stdout.write(f"changed  {path}")
        if not options["dry_run"]:
            _write(name, gone)
            self.stdout.write(self.style.SUCCESS(f"{name} is committed. Next: ./run check && ./run test, then ./run"))
            self.stdout.write("Yours to write: LICENSE, SECURITY.md, the addresses in deploy/.")


def _checked(name: str) -> str:
    try:
        return str(TypeAdapter(Annotated[str, *NAME.metadata]).validate_python(name.strip()))
    except ValidationError:
        raise CommandError(f"{name!r} cannot be the name: use letters, digits, spaces, - and _, 41 at most.") from None


def _write(name: str, gone: list[str]) -> None:
    """Raises CommandError with what a program said."""
    root, version = settings.BASE_DIR, git_release.described()
    if gone:
        remove.remove(gone)
    for path, text in adopt.texts(root, NAME.default, name, version).items():
        (root / path).write_text(text)
    try:
        generate.derive(root, "settings_docs")
    except RuntimeError as error:
        raise CommandError(str(error)) from None
    _commit(name)


def _commit(name: str) -> None:
    subject = f"Adopt the template as {name}"
    for words in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message", subject]):
        done = subprocess.run(["git", *words], cwd=settings.BASE_DIR, capture_output=True, text=True, check=False)  # noqa: S607
        if done.returncode:
            raise CommandError(f"All is written, but git {words[0]} failed: {done.stdout}{done.stderr}")
