"""The tests of orders run with a catalog that is here or elsewhere: products and stock are seen by its functions."""

from decimal import Decimal
from uuid import uuid4

import pytest

from apps.accounts.tests.factories import StaffFactory, UserFactory
from apps.catalog import public as catalog
from framework.actor import SYSTEM, Actor, of_user
from framework.audit import trail


class Stock:
    """Products of this test, in a catalog that may hold others."""

    def __init__(self, shop):
        self.shop = shop

    def __call__(self, quantity=10, price="19.90", name="Oak Chair", currency="EUR"):
        draft = catalog.ProductDraft(uuid4().hex, name, Decimal(price), currency=currency, stock=quantity)
        return self.shop.create_product(SYSTEM, draft)

    def left(self, product):
        return self.shop.get_product(product.id).stock

    def archive(self, product):
        self.shop.archive_product(SYSTEM, product.id, product.version)


class Down:
    """Breaks a function of the catalog: before it has its effect, or after it, when only the answer is lost."""

    def __init__(self, shop, monkeypatch):
        self.shop = shop
        self.monkeypatch = monkeypatch
        self.works = {name: getattr(shop, name) for name in ("get_products", "reserve", "commit", "release")}

    def __call__(self, name, error, *, after_effect=False):
        def broken(*args, **kwargs):
            if after_effect:
                self.works[name](*args, **kwargs)
            raise error

        self.monkeypatch.setattr(self.shop, name, broken)

    def no_more(self):
        for name, works in self.works.items():
            self.monkeypatch.setattr(self.shop, name, works)


@pytest.fixture
def shop():
    return catalog


@pytest.fixture
def stock(shop):
    return Stock(shop)


@pytest.fixture
def catalog_fails(shop, monkeypatch):
    return Down(shop, monkeypatch)


@pytest.fixture
def calls(monkeypatch):
    """The names of the catalog's functions that were called."""
    made = []

    def counted(name, function):
        return lambda *args, **kwargs: made.append(name) or function(*args, **kwargs)

    for name in ("get_product", "get_products", "reserve", "commit", "release"):
        monkeypatch.setattr(catalog, name, counted(name, getattr(catalog, name)))
    return made


@pytest.fixture
def customer():
    return Actor(user_id=UserFactory().id)


@pytest.fixture
def other():
    return Actor(user_id=UserFactory().id)


@pytest.fixture
def clerk():
    return of_user(StaffFactory())


@pytest.fixture
def history():
    """What the audit says of an order's status, as text."""

    def of(order):
        rows = [(row, f": {row.reason}" if row.reason else "") for row in trail.entries(f"orders.order:{order.id}")]
        return [
            f"{row.before.get('status', 'new')} -> {row.after['status']} by {row.actor}{reason}" for row, reason in rows
        ]

    return of
