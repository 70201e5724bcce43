"""Locks for what no row stands for."""

from django.db import connection


def lock(name: str, number: int) -> None:
    """Have other transactions that ask for the same lock wait until this one ends. SQLite has one writer anyway."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, %s))", [name, number])
