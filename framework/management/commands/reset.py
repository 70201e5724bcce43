"""`manage.py reset`: a fresh development database with the demo data."""

import io
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection


class Command(BaseCommand):
    help = "Drops every table of the database, migrates, and loads the demo data. Under DEBUG=1 only."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--yes", action="store_true", help="Do not ask.")

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEBUG:
            raise CommandError("This deletes all data: it runs under DEBUG=1 only.")
        place = f"{connection.settings_dict['HOST']} {connection.settings_dict['NAME']}".strip()
        if not options["yes"] and input(f"Delete all data of {place}? [y/N] ").strip().lower() != "y":
            raise CommandError("Nothing was deleted.")
        drop_tables()
        call_command("migrate", verbosity=0)
        call_command("schedules", stdout=io.StringIO())
        call_command("seed", stdout=self.stdout)
        self.stdout.write(self.style.SUCCESS(f"reset: {place} is as after a first start"))


def drop_tables() -> None:
    """Drop all tables that the connection shows, whoever made them."""
    with connection.schema_editor() as editor:
        for table in connection.introspection.table_names():
            editor.execute(editor.sql_delete_table % {"table": editor.quote_name(table)})
