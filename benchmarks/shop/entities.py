"""What the shop hands out."""

from datetime import datetime
from decimal import Decimal
from typing import NamedTuple


class Owner(NamedTuple):
    id: int
    name: str


class Item(NamedTuple):
    id: int
    sku: str
    name: str
    price: Decimal
    owner_id: int


class OwnedItem(NamedTuple):
    """An item that was read together with its owner."""

    id: int
    sku: str
    name: str
    price: Decimal
    owner: Owner


class Order(NamedTuple):
    id: int
    number: str
    placed_at: datetime


class Line(NamedTuple):
    id: int
    quantity: int
    item_id: int


class FullLine(NamedTuple):
    """A line that was read together with its item."""

    id: int
    quantity: int
    item: OwnedItem


class Note(NamedTuple):
    id: int
    title: str
    text: str
    at: datetime
