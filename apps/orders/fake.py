"""Orders in memory, for the tests of whoever calls them: the same functions and errors, no database, no server.

    shop = Catalog([ProductDraft("OAK-1", "Oak Chair", Decimal("19.90"), stock=3)])      # the catalog's fake
    monkeypatch.setattr(checkout, "orders", fake.Orders(shop))

They keep to the contract that `tests/test_contract.py` holds all implementations to. No Django.
"""

import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from apps.orders import entities, rules
from apps.orders.entities import Line, Order, OrderLine, OrderStatus, orders_keyset
from framework.actor import Actor, authenticated, require, staff
from framework.errors import (
    AlreadyExists,
    DeadlineExceeded,
    FailedPrecondition,
    NotFound,
    Unavailable,
)
from framework.pages import Page
from framework.seam.fakes import IDS, page_of

_ZERO = Decimal("0.00")


class Orders:
    """Orders of their own, with the functions of `public.py` as methods."""

    def __init__(self, catalog: Any) -> None:
        """`catalog` has the functions of the catalog: its fake, or the catalog itself."""
        self._catalog = catalog
        self._lock = threading.RLock()
        self._orders: dict[int, Order] = {}
        self._lines: dict[int, list[OrderLine]] = {}
        self._keys: dict[tuple[int, str], tuple[int, list[Line]]] = {}  # the order, and what was asked for

    def __getattr__(self, name: str) -> Any:
        """The types that `public.py` has beside the functions."""
        return getattr(entities, name)

    def place_order(self, actor: Actor, lines: Sequence[Line], key: str) -> Order:
        customer_id = _customer(actor)
        wanted = rules.checked_lines(lines, key)
        with self._lock:
            if (customer_id, key) not in self._keys:
                self._keys[customer_id, key] = self._add(customer_id, wanted), wanted
            order_id, asked_for = self._keys[customer_id, key]
            if asked_for != wanted:
                raise AlreadyExists(
                    "The key was used for another order.", fields={"key": "was used"}, reason="KEY_REUSED"
                )
            try:
                return self.complete_order(order_id)
            except (Unavailable, DeadlineExceeded):
                return self._orders[order_id]

    def complete_order(self, order_id: int) -> Order:
        """The one thing that is the fake's own: place or reject an order that the catalog did not answer for."""
        with self._lock:
            order, lines = self._orders[order_id], self._lines[order_id]
            if order.status is not OrderStatus.PENDING:
                return order
            products = self._catalog.get_products([line.product_id for line in lines])
            problem = rules.problem(lines, products) or self._take(order_id, lines)
            if problem:
                return self._change(order, status=OrderStatus.REJECTED, reason=problem)
            self._lines[order_id] = [_bought(line, products[line.product_id]) for line in lines]
            currency = self._lines[order_id][0].currency
            return self._change(order, status=OrderStatus.PLACED, total=rules.total(lines, products), currency=currency)

    def cancel_order(self, actor: Actor, order_id: int, reason: str) -> Order:
        self.get_order(actor, order_id)
        reason = rules.checked_reason(reason)
        with self._lock:
            order = self._orders[order_id]
            if order.status is OrderStatus.CANCELLED:
                return order
            if order.status is OrderStatus.REJECTED:
                raise FailedPrecondition(
                    "The order is rejected: it cannot be cancelled.", reason="ORDER_NOT_CANCELLABLE"
                )
            self._catalog.release(rules.stock_key(order_id))
            return self._change(order, status=OrderStatus.CANCELLED, reason=reason)

    def get_order(self, actor: Actor, order_id: int) -> Order:
        if not staff(actor):
            require(actor, authenticated)
        order = self._orders.get(order_id)
        if order is None or (order.customer_id != actor.user_id and not staff(actor)):
            raise NotFound(f"There is no order {order_id}.", reason="ORDER_NOT_FOUND")
        return order

    def list_orders(self, actor: Actor, *, first: int = 20, after: str = "") -> Page[Order]:
        customer_id = _customer(actor)
        return page_of(self._of(customer_id), orders_keyset(customer_id), first=first, after=after)

    def count_orders(self, actor: Actor) -> int:
        return len(self._of(_customer(actor)))

    def get_lines(self, order_ids: Sequence[int]) -> dict[int, list[OrderLine]]:
        return {order_id: list(self._lines.get(order_id, ())) for order_id in order_ids}

    def _of(self, customer_id: int) -> list[Order]:
        return [order for order in self._orders.values() if order.customer_id == customer_id]

    def _add(self, customer_id: int, lines: Sequence[Line]) -> int:
        now = datetime.now(UTC)
        order = Order(next(IDS), customer_id, OrderStatus.PENDING, _ZERO, "", "", now, now)
        self._orders[order.id] = order
        self._lines[order.id] = [OrderLine(line.product_id, "", _ZERO, "", line.quantity) for line in lines]
        return order.id

    def _take(self, order_id: int, lines: Sequence[OrderLine]) -> str:
        """Have the stock; why it cannot be had, or nothing."""
        key = rules.stock_key(order_id)
        try:
            self._catalog.reserve(key, [self._catalog.Line(line.product_id, line.quantity) for line in lines])
            self._catalog.commit(key)
        except FailedPrecondition as refused:
            return refused.message
        return ""

    def _change(self, order: Order, **values: Any) -> Order:
        changed = self._orders[order.id] = order._replace(**values, updated_at=datetime.now(UTC))
        return changed


def _customer(actor: Actor) -> int:
    require(actor, authenticated)
    assert actor.user_id is not None
    return actor.user_id


def _bought(line: OrderLine, product: Any) -> OrderLine:
    return line._replace(name=product.name, unit_price=product.price, currency=product.currency)
