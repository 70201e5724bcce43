"""Every query and write on the tables of orders. Hands out entities."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from apps.orders import models, rules
from apps.orders.entities import Line, Order, OrderLine, OrderStatus, Total, orders_keyset
from framework.actor import Actor
from framework.data import keysets
from framework.data.queries import KeptInsert, KeptQuery
from framework.pages import Page

_LINE_COLUMNS = ("product_id", "name", "unit_price", "order__currency", "quantity")
_LINES = KeptQuery(
    lambda ids: (
        models.OrderLine.objects.filter(order_id__among=ids)
        .order_by("product_id")
        .values_list("order_id", *_LINE_COLUMNS)
    )
)
_PENDING = KeptInsert(
    lambda customer_id, key, fingerprint, now, expected_total, expected_currency: models.Order(
        customer_id=customer_id,
        status=OrderStatus.PENDING,
        key=key,
        fingerprint=fingerprint,
        expected_total=expected_total,
        expected_currency=expected_currency,
        created_at=now,
        updated_at=now,
    )
)
_TRANSITION = KeptInsert(
    lambda order_id, source, target, actor, reason, at: models.Transition(
        order_id=order_id, source=source, target=target, actor=actor, reason=reason, at=at
    )
)
KEYS_KEPT = timedelta(hours=24)


def get_order(order_id: int) -> Order:
    """Raises NotFound."""
    row = models.Order.objects.filter(pk=order_id).values_list(*Order._fields).first()
    if row is None:
        raise rules.not_found(order_id)
    return _order(row)


def get_expected(order_id: int) -> tuple[Order, Total | None]:
    """The order, and the total that its customer expects, if any. Raises NotFound."""
    rows = models.Order.objects.filter(pk=order_id)
    row = rows.values_list("expected_total", "expected_currency", *Order._fields).first()
    if row is None:
        raise rules.not_found(order_id)
    amount, currency, *order = row
    return _order(order), None if amount is None else Total(amount, currency)


def get_lines(order_ids: Sequence[int]) -> dict[int, list[OrderLine]]:
    """The lines of each order, by product id, in one query."""
    found: dict[int, list[OrderLine]] = {order_id: [] for order_id in order_ids}
    for order_id, *row in _LINES.run(list(order_ids)):
        found[order_id].append(OrderLine._make(row))
    return found


def list_orders(customer_id: int | None, *, first: int = 20, after: str = "") -> Page[Order]:
    """One page of a customer's orders, or of all, the newest first. Raises InvalidArgument."""
    rows = models.Order.objects.all()
    rows = rows if customer_id is None else rows.filter(customer_id=customer_id)
    page = keysets.fetch(rows, Order, orders_keyset(customer_id), first=first, after=after)
    return Page(list(map(_order, page.items)), page.next_token)


def count_orders(customer_id: int | None) -> int:
    """How many orders `list_orders` goes through."""
    rows = models.Order.objects.all()
    return (rows if customer_id is None else rows.filter(customer_id=customer_id)).count()


def find_by_key(customer_id: int, key: str) -> tuple[Order, str] | None:
    """The order a customer made under a key, and the fingerprint of what was asked for."""
    rows = models.Order.objects.filter(customer_id=customer_id, key=key)
    row = rows.values_list("fingerprint", *Order._fields).first()
    return None if row is None else (_order(row[1:]), row[0])


def add_order(
    actor: Actor, customer_id: int, key: str, fingerprint: str, lines: Iterable[Line], expected: Total | None = None
) -> Order | None:
    """Write a pending order; None when the customer has used the key already."""
    now = timezone.now()
    amount, currency = expected or (None, None)
    try:
        with transaction.atomic():
            order_id = _PENDING.run(customer_id, key, fingerprint, now, amount, currency)
    except IntegrityError:
        return None
    models.OrderLine.objects.bulk_create(models.OrderLine(order_id=order_id, **line._asdict()) for line in lines)
    _note(order_id, "", OrderStatus.PENDING, actor, "")
    return Order(order_id, customer_id, OrderStatus.PENDING, Decimal("0.00"), "", "", now, now)


def move(
    order_id: int, sources: Iterable[OrderStatus], target: OrderStatus, actor: Actor, reason: str = ""
) -> Order | None:
    """Change the status and note who did it and why; None when the order is not in one of the sources.

    Raises NotFound. Needs a transaction, which it keeps others out of the order for.
    """
    row = models.Order.objects.select_for_update().filter(pk=order_id).first()
    if row is None:
        raise rules.not_found(order_id)
    source = OrderStatus(row.status)
    if source not in sources:
        return None
    row.status, row.reason, row.updated_at = target, reason, timezone.now()
    row.save(update_fields=["status", "reason", "updated_at"])
    _note(order_id, source, target, actor, reason)
    return _entity(row)


def set_prices(order_id: int, total: Total, bought: Mapping[int, tuple[str, Decimal]]) -> None:
    """Write down what each product is called and costs at the time of the order, and what that makes."""
    rows = list(models.OrderLine.objects.filter(order_id=order_id))
    for row in rows:
        row.name, row.unit_price = bought[row.product_id]
    models.OrderLine.objects.bulk_update(rows, ["name", "unit_price"])
    models.Order.objects.filter(pk=order_id).update(total=total.amount, currency=total.currency)


def forget_keys() -> int:
    """Let go of keys that are older than KEYS_KEPT; returns how many."""
    old = models.Order.objects.filter(key__isnull=False, created_at__lt=timezone.now() - KEYS_KEPT)
    return old.update(key=None)


def _note(order_id: int, source: str, target: str, actor: Actor, reason: str) -> None:
    _TRANSITION.run(order_id, source, target, str(actor), reason, timezone.now())


def _entity(row: models.Order) -> Order:
    return _order([getattr(row, name) for name in Order._fields])


def _order(row: Sequence[Any]) -> Order:
    order = Order._make(row)
    return order._replace(status=OrderStatus(order.status))  # a plain text in the database
