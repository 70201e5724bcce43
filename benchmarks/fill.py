"""Fill the benchmarks' database, unless it is full: `python -m benchmarks.fill`, by `benchmarks/database.py`."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import islice
from typing import Any

import django
from django.db import connection, models, transaction

PRODUCTS, ITEMS, OWNERS, ORDERS, LINES = 100_000, 20_000, 1_000, 10_000, 3
CHUNK = 5_000
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
MATERIALS = ("Oak", "Walnut", "Birch", "Steel", "Linen", "Wool", "Cork", "Glass")
THINGS = ("chair", "table", "lamp", "shelf", "bench", "mirror", "stool", "rug")
DESCRIPTION = "Made by hand in small numbers, from one piece where it can be had. Keep dry; wipe with a soft cloth. "


def main() -> None:
    django.setup()
    from apps.catalog.models import Product
    from benchmarks.shop.models import Item, Line, Note, Order, Owner

    tables = (Product, Owner, Item, Order, Line)
    if [model._default_manager.count() for model in tables] != [PRODUCTS, OWNERS, ITEMS, ORDERS, ORDERS * LINES]:
        print("filling the database (once)", flush=True)
        with transaction.atomic():
            empty(*tables)
            write(Product, products())
            owners = write(Owner, ({"name": f"Owner {number:04}"} for number in range(OWNERS)))
            items = write(Item, ({**item(number), "owner_id": owners[number % OWNERS]} for number in range(ITEMS)))
            orders = write(Order, (order(number) for number in range(ORDERS)))
            write(Line, lines(orders, items))
    empty(Note)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


def empty(*tables: type[models.Model]) -> None:
    names = ", ".join(connection.ops.quote_name(model._meta.db_table) for model in tables)
    with connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {names} CASCADE")


def write(model: type[models.Model], rows: Iterator[dict[str, Any]]) -> list[int]:
    """Write the rows; returns their ids."""
    ids: list[int] = []
    while chunk := [model(**row) for row in islice(rows, CHUNK)]:
        ids += [row.pk for row in model._default_manager.bulk_create(chunk)]
    return ids


def products() -> Iterator[dict[str, Any]]:
    for number in range(PRODUCTS):
        created = moment(number)
        yield {
            **item(number),
            "description": DESCRIPTION * (1 + number % 3),
            "stock": number * 7 % 100,
            "is_active": bool(number % 20),
            "created_at": created,
            "updated_at": created + timedelta(days=number % 50, microseconds=number),
        }


def item(number: int) -> dict[str, Any]:
    name = f"{MATERIALS[number % 8]} {THINGS[number // 8 % 8]} {number:06}"
    return {"sku": f"SKU-{number:06}", "name": name, "price": Decimal(990 + number * 37 % 90_000) / 100}


def order(number: int) -> dict[str, Any]:
    return {"number": f"{number:08}", "placed_at": moment(number)}


def lines(orders: list[int], items: list[int]) -> Iterator[dict[str, Any]]:
    for number in range(ORDERS * LINES):
        yield {
            "order_id": orders[number // LINES],
            "item_id": items[number * 7919 % ITEMS],
            "quantity": 1 + number % 5,
        }


def moment(number: int) -> datetime:
    return BEGIN + timedelta(seconds=number * 67, microseconds=number * 13 % 1_000_000)


if __name__ == "__main__":
    main()
