"""What the catalog hands out and takes in: immutable values, the same on both sides of the seam."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from framework.changes import UNSET, Unset
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
    is_active: bool = True


class ProductChanges(NamedTuple):
    """New values for a product; UNSET leaves the old one."""

    sku: str | Unset = UNSET
    name: str | Unset = UNSET
    description: str | Unset = UNSET
    price: Decimal | Unset = UNSET
    currency: str | Unset = UNSET
    stock: int | Unset = UNSET
    is_active: bool | Unset = UNSET


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
