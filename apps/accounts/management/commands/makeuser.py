"""`manage.py makeuser EMAIL`: an account, from the command line."""

import sys
from getpass import getpass
from typing import Any

from allauth.account.adapter import get_adapter
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.accounts import repository
from framework.errors import DomainError


class Command(BaseCommand):
    help = "Makes a user with a verified address. The password is asked for, or read from a piped standard input."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")
        rights = parser.add_mutually_exclusive_group()
        rights.add_argument("--staff", action="store_true", help="May use the admin, as far as its permissions go.")
        rights.add_argument("--superuser", action="store_true", help="May do everything.")

    def handle(self, *args: Any, **options: Any) -> None:
        staff = options["staff"] or options["superuser"]
        try:
            password = get_adapter().clean_password(_password())
            user = repository.create_user(options["email"], password, is_staff=staff, is_superuser=options["superuser"])
        except ValidationError as error:
            raise CommandError(f"The password cannot be used: {' '.join(error.messages)}") from None
        except DomainError as error:
            fields = "; ".join(f"{name}: {text}" for name, text in error.fields.items())
            raise CommandError(f"{error} {fields}") from None
        self.stdout.write(self.style.SUCCESS(f"made user {user.id}, {user.email}"))


def _password() -> str:
    return getpass("Password: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
