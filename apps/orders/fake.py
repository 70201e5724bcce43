"""Orders in memory, for the tests of other domains and services: no database, no server, no Django.

    shop = Catalog([ProductDraft("OAK-1", "Oak Chair", Decimal("19.90"), stock=3)])      # the catalog's fake
    monkeypatch.setattr(checkout, "orders", fake.Orders(shop))

The tests of `tests/test_contract.py` hold for them too.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from apps.orders import entities, rules
from apps.orders.entities import Line, Order, OrderLine, OrderStatus, Total, orders_keyset
from framework.actor import Actor, authenticated, require
from framework.errors import DeadlineExceeded, FailedPrecondition, Unavailable
from framework.pages import Page
from framework.seam.fakes import IDS, Fake

_ZERO = Decimal("0.00")


class Orders(Fake):
    """Orders of their own, with the functions of `public.py` as methods."""

    def __init__(self, catalog: Any) -> None:
        """`catalog` has the functions of the catalog: its fake, or the catalog itself."""
        super().__init__(entities)
        self._catalog = catalog
        self._orders: dict[int, Order] = {}
        self._lines: dict[int, list[OrderLine]] = {}
        self._keys: dict[tuple[int, str], int] = {}
        self._wanted: dict[int, tuple[list[Line], Total | None]] = {}

    def place_order(
        self,
        actor: Actor,
        lines: Sequence[Line],
        key: str,
        *,
        expected_total: Decimal | None = None,
        currency: str | None = None,
    ) -> Order:
        customer_id = rules.customer(actor)
        wanted = rules.checked_lines(lines, key), rules.checked_total(expected_total, currency)
        with self._lock:
            if (customer_id, key) not in self._keys:
                self._check_held(customer_id, lines)
                self._keys[customer_id, key] = self._add(customer_id, *wanted)
            order_id = self._keys[customer_id, key]
            if self._wanted[order_id] != wanted:
                raise rules.key_reused()
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
            if problem := rules.why_unsellable(lines, products):
                return self._change(order, status=OrderStatus.REJECTED, reason=problem)
            now, problem = rules.total(lines, products), ""
            if self._wanted[order_id][1] not in (None, now):
                problem = rules.price_changed(now)
            elif problem := self._take(order_id, lines):
                return self._change(order, status=OrderStatus.REJECTED, reason=problem)
            bought = ((line, products[line.product_id]) for line in lines)
            self._lines[order_id] = [
                line._replace(name=product.name, unit_price=product.price, currency=product.currency)
                for line, product in bought
            ]
            status = OrderStatus.REJECTED if problem else OrderStatus.PLACED
            return self._change(order, status=status, reason=problem, total=now.amount, currency=now.currency)

    def cancel_order(self, actor: Actor, order_id: int, reason: str) -> Order:
        if self.get_order(actor, order_id).customer_id != actor.user_id:
            require(actor, rules.CHANGE)
        reason = rules.checked_reason(reason)
        with self._lock:
            order = self._orders[order_id]
            if order.status is OrderStatus.CANCELLED:
                return order
            if order.status is OrderStatus.REJECTED:
                raise rules.not_cancellable(order)
            self._catalog.release(rules.stock_key(order_id))
            return self._change(order, status=OrderStatus.CANCELLED, reason=reason)

    def get_order(self, actor: Actor, order_id: int) -> Order:
        if not rules.VIEW(actor):
            require(actor, authenticated)
        order = self._orders.get(order_id)
        if order is None or (order.customer_id != actor.user_id and not rules.VIEW(actor)):
            raise rules.not_found(order_id)
        return order

    def list_orders(self, actor: Actor, *, first: int = 20, after: str = "") -> Page[Order]:
        customer_id = rules.customer(actor)
        return self._page(self._of(customer_id), orders_keyset(customer_id), first=first, after=after)

    def count_orders(self, actor: Actor) -> int:
        return len(self._of(rules.customer(actor)))

    def get_lines(self, order_ids: Sequence[int]) -> dict[int, list[OrderLine]]:
        return {order_id: list(self._lines.get(order_id, ())) for order_id in order_ids}

    def _of(self, customer_id: int) -> list[Order]:
        return [order for order in self._orders.values() if order.customer_id == customer_id]

    def _add(self, customer_id: int, lines: list[Line], expected: Total | None = None) -> int:
        now = datetime.now(UTC)
        order = Order(next(IDS), customer_id, OrderStatus.PENDING, _ZERO, "", "", now, now)
        self._orders[order.id], self._wanted[order.id] = order, (lines, expected)
        self._lines[order.id] = [OrderLine(line.product_id, "", _ZERO, "", line.quantity) for line in lines]
        return order.id

    def _check_held(self, customer_id: int, more: Sequence[Line]) -> None:
        since, statuses = datetime.now(UTC) - rules.HELD_FOR, (OrderStatus.PENDING, OrderStatus.PLACED)
        held = [order for order in self._of(customer_id) if order.status in statuses and order.created_at > since]
        pieces = sum(line.quantity for order in held for line in self._lines[order.id])
        rules.check_held(len(held) + 1, pieces + sum(line.quantity for line in more))

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
        return self._put(self._orders, order.id, order._replace(**values, updated_at=datetime.now(UTC)))
