"""`manage.py makeuser EMAIL`: an account, from the command line."""

import sys
from getpass import getpass
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.accounts import services
from framework.errors import DomainError


class Command(BaseCommand):
    help = "Makes a user. Asks for the password, or reads its first line from standard input when that is no terminal."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")
        rights = parser.add_mutually_exclusive_group()
        rights.add_argument("--staff", action="store_true", help="May use the admin, as far as its permissions go.")
        rights.add_argument("--superuser", action="store_true", help="May do everything.")

    def handle(self, *args: Any, **options: Any) -> None:
        rights = {"is_staff": options["staff"], "is_superuser": options["superuser"]}
        try:
            user = services.make_user(options["email"], _password(), **rights)
        except DomainError as error:
            fields = "; ".join(f"{name}: {text}" for name, text in error.fields.items())
            raise CommandError(f"{error} {fields}") from None
        self.stdout.write(self.style.SUCCESS(f"made user {user.id}, {user.email}"))


def _password() -> str:
    return getpass("Password: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
