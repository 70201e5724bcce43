"""What orders hands out and takes in: immutable values, the same on both sides of the seam."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from framework.pages import Keyset


class OrderStatus(StrEnum):
    PENDING = "pending"  # accepted; the catalog has not said yet whether it can be had
    PLACED = "placed"
    REJECTED = "rejected"  # by us
    CANCELLED = "cancelled"  # by the customer or staff


class Line(NamedTuple):
    """So many of a product are wanted."""

    product_id: int
    quantity: int


class Total(NamedTuple):
    amount: Decimal
    currency: str


class Order(NamedTuple):
    id: int
    customer_id: int
    status: OrderStatus
    total: Decimal  # 0 while pending; of an order rejected for its price, what it would cost now
    currency: str  # empty while pending
    reason: str  # why it was rejected or cancelled
    created_at: datetime
    updated_at: datetime


class OrderLine(NamedTuple):
    """A line as it was bought: name and price stay as they were."""

    product_id: int
    name: str  # empty while pending
    unit_price: Decimal  # 0 while pending
    currency: str  # empty while pending
    quantity: int


def orders_keyset(customer_id: int | None) -> Keyset:
    """Orders, the newest first: one customer's, or all."""
    return Keyset("orders.orders", "-created_at", "" if customer_id is None else str(customer_id))
