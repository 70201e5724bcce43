from typing import Any

from django.db import migrations

from framework.data.postgresql import require_extension

INDEXES = {"catalog_product_name_trgm": "name", "catalog_product_sku_trgm": "sku"}


def create(apps: Any, schema_editor: Any) -> None:
    """Index what `icontains` compares, for any part of it. SQLite searches without an index.

    Without `fastupdate`, as each search would read all that was written since the last vacuum.
    """
    if schema_editor.connection.vendor != "postgresql":
        return
    require_extension(schema_editor.connection, "pg_trgm", purpose="the search for products")
    for index, column in INDEXES.items():
        schema_editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {index}")  # invalid, if an earlier try was cut short
        schema_editor.execute(
            f"CREATE INDEX CONCURRENTLY IF NOT EXISTS {index}"
            f" ON catalog_product USING gin (upper({column}) gin_trgm_ops) WITH (fastupdate = off)"
        )


def drop(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor == "postgresql":
        for index in INDEXES:
            schema_editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {index}")


class Migration(migrations.Migration):
    atomic = False  # CONCURRENTLY

    dependencies = [("catalog", "0003_edited_version")]

    operations = [migrations.RunPython(create, drop)]
