"""The rules of orders: one function a use case.

The catalog may run elsewhere, so its writes stand outside of every transaction, under a key made of the order's
id: whatever is cut short is done again by a task, and has its effect once.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence

import structlog
from django.db import transaction

from apps.catalog import public as catalog
from apps.orders import repository, rules, tasks
from apps.orders.entities import Line, Order, OrderLine, OrderStatus
from framework import context
from framework.actor import SYSTEM, Actor, authenticated, require, staff
from framework.errors import (
    AlreadyExists,
    DeadlineExceeded,
    FailedPrecondition,
    Unavailable,
)
from framework.pages import Page

log = structlog.get_logger("orders")

ANSWER_WITHIN = 3.0  # seconds after which a customer is told that the order is pending
COMPLETE_AFTER = 10  # seconds until a task looks at an order that was left pending


def place_order(actor: Actor, lines: Sequence[Line], key: str) -> Order:
    """Order some products; the same key and lines again give the same order, for a day.

    The answer is placed or rejected, or still pending when the catalog does not answer now: a task goes on then.
    Raises Unauthenticated, InvalidArgument, AlreadyExists for a key that was used for other lines.
    """
    customer_id = _customer(actor)
    wanted = rules.checked_lines(lines, key)
    fingerprint = hashlib.sha256(json.dumps(wanted).encode()).hexdigest()
    with transaction.atomic(durable=True):
        order = repository.add_order(actor, customer_id, key, fingerprint, wanted)
        if order is not None:
            tasks.complete_order.apply_async((order.id,), countdown=COMPLETE_AFTER)
    if order is None:
        return _same_order(customer_id, key, fingerprint)
    return _complete_now(order)


def complete_order(order_id: int) -> Order:
    """Find out whether a pending order can be had, and place or reject it. Doing it again changes nothing.

    Raises NotFound, and Unavailable or DeadlineExceeded when the catalog does not answer.
    """
    order = repository.get_order(order_id)
    if order.status is not OrderStatus.PENDING:
        return order
    lines = [catalog.Line(line.product_id, line.quantity) for line in repository.get_lines([order_id])[order_id]]
    products = catalog.get_products([line.product_id for line in lines])
    problem = rules.problem(lines, products)
    if problem:
        return _reject(order_id, problem)
    try:
        catalog.reserve(rules.stock_key(order_id), lines)
        catalog.commit(rules.stock_key(order_id))
    except FailedPrecondition as refused:
        return _reject(order_id, refused.message)
    return _place(order_id, lines, products)


def cancel_order(actor: Actor, order_id: int, reason: str) -> Order:
    """Cancel an own order, or as staff anybody's, while it is pending or placed; its stock goes back.

    Cancelling it again changes nothing. Raises Unauthenticated, NotFound (also for somebody else's order),
    InvalidArgument for a reason that is missing or too long, FailedPrecondition for a rejected order.
    """
    get_order(actor, order_id)
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
    raise FailedPrecondition(f"The order is {order.status}: it cannot be cancelled.", reason="ORDER_NOT_CANCELLABLE")


def get_order(actor: Actor, order_id: int) -> Order:
    """An own order, or as staff anybody's. Raises Unauthenticated, NotFound (also for somebody else's order)."""
    if not staff(actor):
        require(actor, authenticated)
    order = repository.get_order(order_id)
    if order.customer_id != actor.user_id and not staff(actor):
        raise repository.not_found(order_id)
    return order


def get_lines(actor: Actor, order_ids: Sequence[int]) -> dict[int, list[OrderLine]]:
    """The lines of own orders, or as staff of any; other orders are left out. Raises Unauthenticated."""
    if not staff(actor):
        order_ids = repository.own_orders(_customer(actor), order_ids)
    return repository.get_lines(order_ids)


def list_orders(actor: Actor, *, first: int = 20, after: str = "") -> Page[Order]:
    """The actor's own orders, the newest first. Raises Unauthenticated, InvalidArgument."""
    return repository.list_orders(_customer(actor), first=first, after=after)


def count_orders(actor: Actor) -> int:
    """How many orders `list_orders` goes through. Raises Unauthenticated."""
    return repository.count_orders(_customer(actor))


def release_stock(order_id: int) -> None:
    """Give back what a cancelled order took. Raises Unavailable or DeadlineExceeded."""
    catalog.release(rules.stock_key(order_id))


def _customer(actor: Actor) -> int:
    require(actor, authenticated)
    assert actor.user_id is not None
    return actor.user_id


def _same_order(customer_id: int, key: str, fingerprint: str) -> Order:
    found = repository.find_by_key(customer_id, key)
    if found is None:  # forgotten in this very moment
        raise Unavailable("Try again.", reason="KEY_FORGOTTEN")
    order, asked_for = found
    if asked_for != fingerprint:
        raise AlreadyExists("The key was used for another order.", fields={"key": "was used"}, reason="KEY_REUSED")
    return _complete_now(order)


def _complete_now(order: Order) -> Order:
    """What becomes of the order if the catalog says so at once; else it stays pending, and the task goes on."""
    try:
        with context.within(ANSWER_WITHIN - context.age()):
            return complete_order(order.id)
    except (Unavailable, DeadlineExceeded) as error:
        log.warning("left pending", order=order.id, error=error.message)
    except Exception:  # the order stands, so the answer is no error, whatever keeps it from being completed now
        log.exception("left pending", order=order.id)
    return order


def _place(order_id: int, lines: Sequence[catalog.Line], products: Mapping[int, catalog.Product]) -> Order:
    bought = {product.id: (product.name, product.price) for product in products.values()}
    currency = products[lines[0].product_id].currency
    with transaction.atomic(durable=True):
        if repository.move(order_id, (OrderStatus.PENDING,), OrderStatus.PLACED, SYSTEM):
            repository.set_prices(order_id, rules.total(lines, products), currency, bought)
            tasks.send_confirmation.delay(order_id)
        order = repository.get_order(order_id)
        if order.status is OrderStatus.CANCELLED:
            # Cancelled while the stock was being taken: what was released then may have been taken after.
            tasks.release_stock.delay(order_id)
        return order


def _reject(order_id: int, reason: str) -> Order:
    with transaction.atomic(durable=True):
        rejected = repository.move(order_id, (OrderStatus.PENDING,), OrderStatus.REJECTED, SYSTEM, reason)
        if rejected:
            tasks.release_stock.delay(order_id)
        return rejected or repository.get_order(order_id)
