"""`manage.py migrate`, in place of Django's: it would rather fail than hold up those who use the tables."""

from typing import Any

from django.core.management.base import CommandParser
from django.core.management.commands import migrate
from django.db import connections

LOCK_TIMEOUT, STATEMENT_TIMEOUT = 5.0, 300.0  # seconds


class Command(migrate.Command):
    help = f"{migrate.Command.help} On PostgreSQL, with time limits for locks and statements."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        limits = parser.add_argument_group("time limits in seconds, on PostgreSQL; 0 for none")
        limits.add_argument(
            "--lock-timeout", type=float, default=LOCK_TIMEOUT, help="All who come after a migration wait with it."
        )
        limits.add_argument(
            "--statement-timeout", type=float, default=STATEMENT_TIMEOUT, help="For an index of a large table: 0."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        connection = connections[options["database"]]
        limits = {name: options.pop(name, default) for name, default in _DEFAULTS.items()}
        if connection.vendor != "postgresql":
            super().handle(*args, **options)
            return
        with connection.cursor() as cursor:
            for name, seconds in limits.items():
                cursor.execute("SELECT set_config(%s, %s, false)", [name, f"{seconds * 1000:.0f}ms"])
        try:
            super().handle(*args, **options)
        finally:
            connection.close()  # with a pool, the next who gets it would have these limits


_DEFAULTS = {"lock_timeout": LOCK_TIMEOUT, "statement_timeout": STATEMENT_TIMEOUT}
