from datetime import UTC, datetime

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection

from framework.data.postgresql import require_extension

pytestmark = [pytest.mark.postgresql, pytest.mark.django_db]


def extensions():
    with connection.cursor() as cursor:
        cursor.execute("SELECT extname FROM pg_extension")
        return {name for (name,) in cursor.fetchall()}


def test_an_extension_is_created_once():
    require_extension(connection, "citext", purpose="a test")
    require_extension(connection, "citext", purpose="a test")

    assert "citext" in extensions()


def test_an_extension_that_the_role_may_not_create_is_named_with_the_cure():
    with connection.cursor() as cursor:
        cursor.execute("CREATE ROLE of_a_test; SET LOCAL ROLE of_a_test")

    with pytest.raises(ImproperlyConfigured, match=r"extension citext, for a test, .* `CREATE EXTENSION citext;`"):
        require_extension(connection, "citext", purpose="a test")


def test_an_extension_that_the_server_does_not_have_is_named_with_the_cure():
    with pytest.raises(ImproperlyConfigured, match=r"extension no_such, .* cannot be created: .*not available"):
        require_extension(connection, "no_such", purpose="a test")


def test_moments_are_read_by_the_loader_that_is_written_in_c():
    from psycopg import adapters, pq  # needs libpq, which SQLite does without

    with connection.cursor() as cursor:
        cursor.execute("SELECT '2026-01-02 03:04:05+02'::timestamptz")
        (moment,) = cursor.fetchone()
        loader = cursor.adapters.get_loader(adapters.types["timestamptz"].oid, pq.Format.TEXT)

    assert moment == datetime(2026, 1, 2, 1, 4, 5, tzinfo=UTC)
    assert loader(0).__class__.__module__ == "psycopg_binary._psycopg"
