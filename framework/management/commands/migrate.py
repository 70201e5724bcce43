"""`manage.py migrate`, in place of Django's: it would rather fail than hold up those who use the tables."""

from collections.abc import Callable
from typing import Any

from django.core.management.base import CommandParser
from django.core.management.commands import migrate
from django.db import connections

from framework.data import database

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
        limits = [f"{options.pop(name, default) * 1000:.0f}ms" for name, default in _DEFAULTS.items()]
        if connection.vendor != "postgresql":
            super().handle(*args, **options)
            return
        limited = _Limited(limits, whole_session=not database.is_pooled(connection))
        try:
            with connection.execute_wrapper(limited):
                super().handle(*args, **options)
        finally:
            connection.close()  # its session has the limits


class _Limited:
    """Gives each statement the limits: as its transaction's, or as the session's where it has none.

    A pooler has no session of ours to set: what is set there comes to whoever gets the server's connection next.
    """

    def __init__(self, limits: list[str], *, whole_session: bool) -> None:
        self._limits = limits
        self._whole_session = whole_session

    def __call__(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        in_transaction = context["connection"].in_atomic_block
        if in_transaction or self._whole_session:
            execute(_SET, [value for limit in self._limits for value in (limit, in_transaction)], False, context)
        return execute(sql, params, many, context)


_DEFAULTS = {"lock_timeout": LOCK_TIMEOUT, "statement_timeout": STATEMENT_TIMEOUT}
_SET = "SELECT set_config('lock_timeout', %s, %s), set_config('statement_timeout', %s, %s)"
