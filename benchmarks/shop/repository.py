"""Every query and write on the shop's tables. Hands out entities."""

from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache

from django.utils import timezone

from benchmarks.shop import models
from benchmarks.shop.entities import FullLine, Item, Line, Note, Order, OwnedItem, Owner
from framework.data.queries import CompiledQuery

_FULL_LINE = (
    "order_id",
    "id",
    "quantity",
    "item_id",
    "item__sku",
    "item__name",
    "item__price",
    "item__owner_id",
    "item__owner__name",
)


_LINES = CompiledQuery(
    lambda ids: models.Line.objects.filter(order_id__any_of=ids).order_by("id").values_list(*_FULL_LINE)
)


@lru_cache(100)
def _recent(first: int) -> CompiledQuery:
    return CompiledQuery(lambda: models.Order.objects.order_by("-placed_at", "-id").values_list(*Order._fields)[:first])


def recent_orders(first: int) -> list[Order]:
    return [Order._make(row) for row in _recent(first).run()]


def full_lines(order_ids: Sequence[int]) -> dict[int, list[FullLine]]:
    """The lines by order, with item and owner, in one query."""
    found = defaultdict[int, list[FullLine]](list)
    for order_id, line_id, quantity, item_id, sku, name, price, owner_id, owner in _LINES.run(list(order_ids)):
        item = OwnedItem(item_id, sku, name, price, Owner(owner_id, owner))
        found[order_id].append(FullLine(line_id, quantity, item))
    return found


def lines(order_ids: Sequence[int]) -> dict[int, list[Line]]:
    """The lines by order, alone."""
    found = defaultdict[int, list[Line]](list)
    rows = models.Line.objects.filter(order_id__in=order_ids).order_by("id")
    for order_id, *values in rows.values_list("order_id", *Line._fields):
        found[order_id].append(Line._make(values))
    return found


def items(item_ids: Sequence[int]) -> dict[int, Item]:
    rows = models.Item.objects.filter(pk__in=item_ids).values_list(*Item._fields)
    return {row[0]: Item._make(row) for row in rows}


def owners(owner_ids: Sequence[int]) -> dict[int, Owner]:
    rows = models.Owner.objects.filter(pk__in=owner_ids).values_list(*Owner._fields)
    return {row[0]: Owner._make(row) for row in rows}


def create_note(title: str, text: str) -> Note:
    now = timezone.now()
    return Note(models.Note.objects.create(title=title, text=text, at=now).pk, title, text, now)
