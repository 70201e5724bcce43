"""What the catalog hands out and takes in: immutable values, the same on both sides of the seam."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from framework.pages import Keyset


class Product(NamedTuple):
    id: int
    sku: str
    name: str
    description: str
    price: Decimal
    currency: str
    stock: int
    is_active: bool
    version: int
    created_at: datetime
    updated_at: datetime


class ProductDraft(NamedTuple):
    """A product to be."""

    sku: str
    name: str
    price: Decimal
    description: str = ""
    currency: str = "EUR"
    stock: int = 0


class ProductChanges(NamedTuple):
    """New values for a product; None leaves the old one."""

    sku: str | None = None
    name: str | None = None
    description: str | None = None
    price: Decimal | None = None
    currency: str | None = None
    stock: int | None = None
    is_active: bool | None = None


class ProductOrder(StrEnum):
    """How a list of products is sorted; the value is the column, `-` for descending."""

    NAME = "name"
    NAME_DESC = "-name"
    PRICE = "price"
    PRICE_DESC = "-price"
    CREATED = "created_at"
    CREATED_DESC = "-created_at"


class Line(NamedTuple):
    """So many of a product."""

    product_id: int
    quantity: int


class ReservationStatus(StrEnum):
    HELD = "held"  # off the shelf until it expires
    COMMITTED = "committed"  # sold
    RELEASED = "released"  # given back for good; the key cannot be used again
    EXPIRED = "expired"  # given back as nobody came; the same reservation may be made again


class Reservation(NamedTuple):
    key: str
    status: ReservationStatus
    lines: tuple[Line, ...]  # by product id
    expires_at: datetime


def product_keyset(order_by: ProductOrder, search: str) -> Keyset:
    return Keyset("catalog.products", order_by.value, search)
