"""The rules of orders: one function a use case.

The catalog may run elsewhere, so its writes stand outside of every transaction, under a key made of the order's
id: whatever is cut short is done again by a task, and has its effect once.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

import structlog
from django.db import transaction

from apps.catalog import public as catalog
from apps.orders import repository, rules, tasks
from apps.orders.entities import Line, Order, OrderStatus, Total
from framework import context
from framework.actor import SYSTEM, Actor, authenticated, require
from framework.errors import (
    DeadlineExceeded,
    FailedPrecondition,
    Unavailable,
)
from framework.pages import Page
from framework.queue import table as queue

log = structlog.get_logger("orders")

ANSWER_WITHIN = 3.0  # seconds after which a customer is told that the order is pending
COMPLETE_AFTER = 10  # seconds until a task looks at an order that was left pending


def place_order(
    actor: Actor,
    lines: Sequence[Line],
    key: str,
    *,
    expected_total: Decimal | None = None,
    currency: str | None = None,
) -> Order:
    """Order some products; the same key and lines again give the same order, for a day.

    The answer is placed or rejected, or still pending when the catalog does not answer now: a task goes on then.
    With an expected total and its currency, an order that would cost something else is rejected, with the new total.
    Raises Unauthenticated, InvalidArgument, AlreadyExists for a key that was used for other lines, ResourceExhausted
    for more than a customer may have on order within a day.
    """
    customer_id = rules.customer(actor)
    wanted = rules.checked_lines(lines, key)
    expected = rules.checked_total(expected_total, currency)
    fingerprint = hashlib.sha256(json.dumps([wanted, expected], default=str).encode()).hexdigest()
    try:
        with transaction.atomic(durable=True):
            order = repository.add_order(actor, customer_id, key, fingerprint, wanted, expected)
            rules.check_held(*repository.held(customer_id))
            tasks.complete_order.apply_async(
                (order.id,), task_id=tasks.completion_id(order.id), countdown=COMPLETE_AFTER
            )
    except repository.KeyUsed:
        return _same_order(customer_id, key, fingerprint)
    return _complete_now(order, lambda: _complete(order, wanted, expected))


def complete_order(order_id: int) -> Order:
    """Find out whether a pending order can be had, and place or reject it. Doing it again changes nothing.

    Raises NotFound, and Unavailable or DeadlineExceeded when the catalog does not answer.
    """
    order, expected = repository.get_expected(order_id)
    if order.status is not OrderStatus.PENDING:
        return order
    return _complete(order, repository.get_lines([order_id])[order_id], expected)


def cancel_order(actor: Actor, order_id: int, reason: str) -> Order:
    """Cancel an own order, or anybody's where the actor may change orders, while it is pending or placed.

    Its stock goes back; cancelling it again changes nothing. Raises Unauthenticated, NotFound (also for somebody
    else's order), PermissionDenied for staff who may only look, InvalidArgument for a reason that is missing or
    too long, FailedPrecondition for a rejected order.
    """
    if get_order(actor, order_id).customer_id != actor.user_id:
        require(actor, rules.CHANGE)
    reason = rules.checked_reason(reason)
    with transaction.atomic(durable=True):
        sources = (OrderStatus.PENDING, OrderStatus.PLACED)
        order = repository.move(order_id, sources, OrderStatus.CANCELLED, actor, reason)
        if order is not None:
            tasks.release_stock.delay(order_id)
            return order
    order = repository.get_order(order_id)
    if order.status is OrderStatus.CANCELLED:
        return order
    raise rules.not_cancellable(order)


def get_order(actor: Actor, order_id: int) -> Order:
    """An own order, or anybody's where the actor may view orders. Raises Unauthenticated, NotFound (others')."""
    if not rules.VIEW(actor):
        require(actor, authenticated)
    order = repository.get_order(order_id)
    if order.customer_id != actor.user_id and not rules.VIEW(actor):
        raise rules.not_found(order_id)
    return order


def list_orders(actor: Actor, *, first: int = 20, after: str = "") -> Page[Order]:
    """The actor's own orders, the newest first. Raises Unauthenticated, InvalidArgument."""
    return repository.list_orders(rules.customer(actor), first=first, after=after)


def count_orders(actor: Actor) -> int:
    """How many orders `list_orders` goes through. Raises Unauthenticated."""
    return repository.count_orders(rules.customer(actor))


def release_stock(order_id: int) -> None:
    """Give back what a cancelled order took. Raises Unavailable or DeadlineExceeded."""
    catalog.release(rules.stock_key(order_id))


def _same_order(customer_id: int, key: str, fingerprint: str) -> Order:
    found = repository.find_by_key(customer_id, key)
    if found is None:  # forgotten in this very moment
        raise Unavailable("Try again.", reason="KEY_FORGOTTEN")
    order, asked_for = found
    if asked_for != fingerprint:
        raise rules.key_reused()
    return _complete_now(order, lambda: complete_order(order.id))


def _complete_now(order: Order, complete: Callable[[], Order]) -> Order:
    """What becomes of the order if the catalog says so at once; else it stays pending, and the task goes on."""
    try:
        with context.within(ANSWER_WITHIN - context.age()):
            context.check_deadline()
            return complete()
    except (Unavailable, DeadlineExceeded) as error:
        log.warning("left pending", order=order.id, error=error.message)
    except Exception:  # the order stands, so the answer is no error, whatever keeps it from being completed now
        log.exception("left pending", order=order.id)
    return order


def _complete(order: Order, wanted: Sequence[rules.Wanted], expected: Total | None) -> Order:
    lines = [catalog.Line(line.product_id, line.quantity) for line in wanted]
    products = catalog.get_products([line.product_id for line in lines])
    problem = rules.why_unsellable(lines, products)
    if problem:
        return _close(order, OrderStatus.REJECTED, problem)
    now = rules.total(lines, products)
    if expected not in (None, now):
        return _close(order, OrderStatus.REJECTED, rules.price_changed(now), now, products)
    try:
        catalog.reserve(rules.stock_key(order.id), lines)
        catalog.commit(rules.stock_key(order.id))
    except FailedPrecondition as refused:
        return _close(order, OrderStatus.REJECTED, refused.message)
    return _close(order, OrderStatus.PLACED, "", now, products)


def _close(
    order: Order,
    status: OrderStatus,
    reason: str,
    total: Total | None = None,
    products: Mapping[int, catalog.Product] | None = None,
) -> Order:
    """Place or reject a pending order; with products, also note what they cost now."""
    bought = {product.id: (product.name, product.price) for product in (products or {}).values()}
    with transaction.atomic(durable=True):
        closed = repository.close(order, status, SYSTEM, reason, total, bought)
        found = closed or repository.get_order(order.id)
        if closed and status is OrderStatus.PLACED:
            tasks.send_confirmation.delay(order.id)
        elif closed or found.status is OrderStatus.CANCELLED:
            # Cancelled while the stock was being taken: what was released then may have been taken after.
            tasks.release_stock.delay(order.id)
        queue.finish(tasks.completion_id(order.id))  # it has nothing to do any more, once this is committed
        return found
