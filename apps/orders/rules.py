"""What the service and the fake refuse, and in which words; as far as values alone can tell. Needs no Django."""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Protocol

from apps.orders.entities import Line, Order, OrderLine, Total
from framework.actor import Actor, authenticated, permission, require
from framework.errors import (
    AlreadyExists,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    ResourceExhausted,
    Unavailable,
)

VIEW = permission("orders.view_order", "orders.change_order")  # of anybody's order, as in the admin
CHANGE = permission("orders.change_order")
ERASE = permission("orders.delete_order")
REASONS = {  # for which each function refuses, beside bad values and missing rights
    "place_order": ("KEY_REUSED", "KEY_FORGOTTEN", "TOO_MUCH_ON_ORDER"),
    "cancel_order": ("ORDER_NOT_FOUND", "ORDER_NOT_CANCELLABLE"),
    "get_order": ("ORDER_NOT_FOUND",),
    "erase_user": ("ORDER_PENDING",),
}
MAX_LINES = 100  # of one order
MAX_QUANTITY = 10_000  # of one line
MAX_TOTAL = Decimal("999999999999.99")
MAX_REASON = 500  # characters
HELD_FOR = timedelta(hours=24)  # then staff has seen what was ordered; nothing is paid before
MAX_HELD_ORDERS = 50  # pending or placed, of a customer within HELD_FOR
MAX_HELD_PIECES = 10_000  # in these
NAMED = 10  # products in a reason; the rest is summed up


class Wanted(Protocol):
    """So many of a product."""

    @property
    def product_id(self) -> int: ...

    @property
    def quantity(self) -> int: ...


class Priced(Protocol):
    """A product of the catalog."""

    @property
    def price(self) -> Decimal: ...

    @property
    def currency(self) -> str: ...


def customer(actor: Actor) -> int:
    """The id of the user who buys. Raises Unauthenticated, PermissionDenied for a service."""
    require(actor, authenticated)
    assert actor.user_id is not None
    return actor.user_id


def checked_lines(lines: Sequence[Line], key: str) -> list[Line]:
    """The lines by product id. Raises InvalidArgument with everything that is wrong."""
    problems = {}
    if not 1 <= len(key) <= 64 or "\0" in key:
        problems["key"] = "must have 1 to 64 characters, none NUL"
    if not 1 <= len(lines) <= MAX_LINES or len({line.product_id for line in lines}) < len(lines):
        problems["lines"] = f"must be 1 to {MAX_LINES}, each product once"
    if any(not 1 <= line.quantity <= MAX_QUANTITY for line in lines):
        problems["quantity"] = f"must be between 1 and {MAX_QUANTITY}"
    if problems:
        raise InvalidArgument("This cannot be ordered.", fields=problems)
    return sorted(lines)


def checked_total(amount: Decimal | None, currency: str | None) -> Total | None:
    """The total that a customer expects, if any. Raises InvalidArgument."""
    if amount is None and currency is None:
        return None
    problems = {}
    if amount is None or not amount.is_finite() or not 0 <= amount <= MAX_TOTAL or amount != round(amount, 2):
        problems["expected_total"] = f"must be an amount from 0 to {MAX_TOTAL} with two decimals"
    if currency is None or not re.fullmatch("[A-Z]{3}", currency):
        problems["currency"] = "must be three capital letters, as in ISO 4217, for the expected total"
    if problems or amount is None or currency is None:
        raise InvalidArgument("This cannot be expected.", fields=problems)
    return Total(amount, currency)


def checked_reason(reason: str) -> str:
    """Why an order is cancelled, without space around it. Raises InvalidArgument when it is missing or too long."""
    reason = reason.strip()
    if not 1 <= len(reason) <= MAX_REASON or "\0" in reason:
        raise InvalidArgument("Say why.", fields={"reason": f"must have 1 to {MAX_REASON} characters, none NUL"})
    return reason


def why_unsellable(lines: Sequence[Wanted], products: Mapping[int, Priced]) -> str:
    """Why these products cannot be bought together; empty when they can."""
    gone = [str(line.product_id) for line in lines if line.product_id not in products]
    if gone:
        return f"There is no product {', '.join(gone[:NAMED])}{' (and others)' if len(gone) > NAMED else ''}."
    if len({product.currency for product in products.values()}) > 1:
        return "The products are sold in different currencies."
    return "The total is too large." if total(lines, products).amount > MAX_TOTAL else ""


def check_held(orders: int, pieces: int) -> None:
    """Raise ResourceExhausted for a customer who would keep more from others than a day's orders may."""
    if orders > MAX_HELD_ORDERS or pieces > MAX_HELD_PIECES:
        most = f"{MAX_HELD_ORDERS} orders and {MAX_HELD_PIECES} pieces"
        raise ResourceExhausted(f"You can have {most} on order within a day.", reason="TOO_MUCH_ON_ORDER")


def key_reused() -> AlreadyExists:
    return AlreadyExists("The key was used for another order.", fields={"key": "was used"}, reason="KEY_REUSED")


def not_cancellable(order: Order) -> FailedPrecondition:
    problem = f"The order is {order.status}: it cannot be cancelled."
    return FailedPrecondition(problem, reason="ORDER_NOT_CANCELLABLE")


def not_found(order_id: int) -> NotFound:
    return NotFound(f"There is no order {order_id}.", reason="ORDER_NOT_FOUND")


def still_pending() -> Unavailable:
    return Unavailable("An order of this user is pending: try again when it is not.", reason="ORDER_PENDING")


def as_json(orders: Sequence[Order], lines: Mapping[int, Sequence[OrderLine]]) -> str:
    """Orders with their lines, for their customer to keep."""
    found = [order._asdict() | {"lines": [line._asdict() for line in lines[order.id]]} for order in orders]
    return json.dumps(found, default=str)


def total(lines: Sequence[Wanted], products: Mapping[int, Priced]) -> Total:
    """What the lines cost together, in the products' one currency."""
    amount = sum((products[line.product_id].price * line.quantity for line in lines), Decimal(0))
    return Total(amount, products[lines[0].product_id].currency)


def price_changed(now: Total) -> str:
    """Why an order is rejected that would cost something else than its customer expects."""
    return f"The total is now {now.amount} {now.currency}."


def stock_key(order_id: int) -> str:
    """What an order reserves its stock under."""
    return f"order-{order_id}"
