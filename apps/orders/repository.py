"""Every query and write on the tables of orders. Hands out entities."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import IntegrityError
from django.db.models import Case, Count, QuerySet, Sum, Value, When
from django.utils import timezone

from apps.orders import models, rules
from apps.orders.entities import Line, Order, OrderLine, OrderStatus, Total, orders_keyset
from framework.actor import Actor
from framework.audit import trail
from framework.data import keysets, locks
from framework.data.constraints import is_taken
from framework.data.queries import CompiledQuery
from framework.pages import Page

_LINE_COLUMNS = ("product_id", "name", "unit_price", "order__currency", "quantity")
_LINES = CompiledQuery(
    lambda ids: (
        models.OrderLine.objects.filter(order_id__any_of=ids)
        .order_by("product_id")
        .values_list("order_id", *_LINE_COLUMNS)
    )
)
KEYS_KEPT = timedelta(hours=24)
NOBODY_ANY_MORE = 0  # the customer of orders whose customer was erased
ERASED = "erased"


class KeyUsed(Exception):
    """The customer has made an order under this key already."""


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
    page = keysets.fetch(_orders_of(customer_id), Order, orders_keyset(customer_id), first=first, after=after)
    return page._replace(items=list(map(_order, page.items)))


def count_orders(customer_id: int | None) -> int:
    """How many orders `list_orders` goes through, counted as `keysets.count` does."""
    return keysets.count(_orders_of(customer_id))


def count_pending(older_than: datetime) -> int:
    """How many orders have been pending since before this moment."""
    return models.Order.objects.filter(status=OrderStatus.PENDING, created_at__lt=older_than).count()


def find_by_key(customer_id: int, key: str) -> tuple[Order, str] | None:
    """The order a customer made under a key, and the fingerprint of what was asked for."""
    rows = models.Order.objects.filter(customer_id=customer_id, key=key)
    row = rows.values_list("fingerprint", *Order._fields).first()
    return None if row is None else (_order(row[1:]), row[0])


def add_order(
    actor: Actor, customer_id: int, key: str, fingerprint: str, lines: Iterable[Line], expected: Total | None = None
) -> Order:
    """Write a pending order. Raises KeyUsed, which has to end the caller's transaction."""
    now = timezone.now()
    amount, currency = expected or (None, None)
    try:
        order_id = models.Order.objects.create(
            customer_id=customer_id,
            status=OrderStatus.PENDING,
            key=key,
            fingerprint=fingerprint,
            expected_total=amount,
            expected_currency=currency,
            created_at=now,
            updated_at=now,
        ).pk
    except IntegrityError as error:
        if not is_taken(error, models.Order, "customer_id", "key"):
            raise
        raise KeyUsed from None
    models.OrderLine.objects.bulk_create(models.OrderLine(order_id=order_id, **line._asdict()) for line in lines)
    _note(order_id, "", OrderStatus.PENDING, actor, "")
    return Order(order_id, customer_id, OrderStatus.PENDING, Decimal("0.00"), "", "", now, now)


def held(customer_id: int) -> tuple[int, int]:
    """How many orders and pieces the customer has on order; includes the caller's transaction and keeps others out."""
    locks.lock("orders.held", customer_id)
    lines = models.OrderLine.objects.filter(
        order__customer_id=customer_id,
        order__status__in=(OrderStatus.PENDING, OrderStatus.PLACED),
        order__created_at__gt=timezone.now() - rules.HELD_FOR,
    )
    orders, pieces = lines.aggregate(orders=Count("order", distinct=True), pieces=Sum("quantity")).values()
    return orders, pieces or 0


def close(
    order: Order,
    status: OrderStatus,
    actor: Actor,
    reason: str = "",
    total: Total | None = None,
    bought: Mapping[int, tuple[str, Decimal]] | None = None,
) -> Order | None:
    """Give a pending order the status that it ends up with; None if it is not pending any more.

    With what each product is called and costs now, and what that makes, writes that down too. Needs a transaction, in
    which it keeps others out of the order.
    """
    values: dict[str, Any] = {"status": status, "reason": reason, "updated_at": timezone.now()}
    if total is not None:
        values |= {"total": total.amount, "currency": total.currency}
    if not models.Order.objects.filter(pk=order.id, status=OrderStatus.PENDING).update(**values):
        return None
    if bought:
        models.OrderLine.objects.filter(order_id=order.id).update(
            name=Case(*(When(product_id=key, then=Value(name)) for key, (name, _) in bought.items())),
            unit_price=Case(*(When(product_id=key, then=Value(price)) for key, (_, price) in bought.items())),
        )
    _note(order.id, OrderStatus.PENDING, status, actor, reason)
    return order._replace(**values)


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


def all_orders(customer_id: int) -> list[Order]:
    """Every order of a customer, the oldest first."""
    return [_order(row) for row in _orders_of(customer_id).order_by("pk").values_list(*Order._fields)]


def erase_customer(customer_id: int) -> None:
    """Keep the customer's orders, and forget whose they were and what the customer wrote. Needs a transaction."""
    orders = _orders_of(customer_id)
    orders.exclude(status=OrderStatus.REJECTED).exclude(reason="").update(reason=ERASED)
    orders.update(customer_id=NOBODY_ANY_MORE, key=None, fingerprint="")


def forget_keys(limit: int) -> int:
    """Let go of the oldest keys that are older than KEYS_KEPT; returns how many."""
    old = models.Order.objects.filter(key__isnull=False, created_at__lt=timezone.now() - KEYS_KEPT)
    ids = list(old.order_by("created_at").values_list("pk", flat=True)[:limit])
    return models.Order.objects.filter(pk__in=ids).update(key=None)


def _orders_of(customer_id: int | None) -> QuerySet[models.Order]:
    rows = models.Order.objects.all()
    return rows if customer_id is None else rows.filter(customer_id=customer_id)


def _note(order_id: int, source: str, target: str, actor: Actor, reason: str) -> None:
    """Write the change of status into the audit."""
    before, after = {"status": source} if source else {}, {"status": target}
    changed = trail.of("orders.order", order_id)
    trail.record(actor, f"orders.{target}", changed, before=before, after=after, reason=reason)


def _entity(row: models.Order) -> Order:
    return _order([getattr(row, name) for name in Order._fields])


def _order(row: Sequence[Any]) -> Order:
    order = Order._make(row)
    return order._replace(status=OrderStatus(order.status))  # a plain text in the database
