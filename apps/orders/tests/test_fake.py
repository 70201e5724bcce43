"""The fake keeps the contract: the tests of `test_contract`, with orders in memory in the database's place."""

import inspect
from decimal import Decimal
from types import SimpleNamespace

import pytest

from apps.catalog.fake import Catalog
from apps.orders import public
from apps.orders.entities import Line, OrderLine, OrderStatus
from apps.orders.fake import Orders
from apps.orders.tests import test_contract
from apps.orders.tests.test_contract import *  # noqa: F403
from framework.actor import SYSTEM, Actor
from framework.errors import Unavailable
from framework.testing.seam import Functions

# This is about how the call travels, not about orders.
del test_who_acts_in_which_request_and_how_long_it_may_take_arrive  # noqa: F821

pytestmark = []  # no database


class Factory:
    """OrderFactory's twin, for the fake."""

    def __init__(self, fake):
        self.fake = fake

    def __call__(self, customer_id=7, status=OrderStatus.PLACED):
        order_id = self.fake._add(customer_id, [Line(5, 2)])
        return self.fake._change(self.fake._orders[order_id], status=status, total=Decimal("19.90"), currency="EUR")

    def create_batch(self, number, **values):
        return [self(**values) for _ in range(number)]


@pytest.fixture
def shop():
    return Catalog()


@pytest.fixture
def fake(shop, monkeypatch):
    fake = Orders(shop)
    stored = SimpleNamespace(
        get_order=lambda order_id: fake.get_order(SYSTEM, order_id),
        list_orders=lambda customer_id: fake.list_orders(Actor(user_id=customer_id)),
        get_lines=fake.get_lines,
    )
    factory = Factory(fake)
    monkeypatch.setattr(test_contract, "repository", stored)
    monkeypatch.setattr(test_contract, "OrderFactory", factory)
    monkeypatch.setattr(test_contract, "add_orders", lambda number: [o.id for o in factory.create_batch(number)])
    return fake


@pytest.fixture
def orders(fake):
    return Functions(fake)


@pytest.fixture
def customer(fake):
    return Actor(user_id=1)


@pytest.fixture
def other():
    return Actor(user_id=2)


@pytest.fixture
def clerk():
    return Actor(user_id=3, is_staff=True, permissions=frozenset({"orders.change_order"}))


def test_an_order_that_waited_is_completed(fake, stock, customer, catalog_fails):
    product = stock()
    catalog_fails("reserve", Unavailable("down"))
    pending = fake.place_order(customer, [Line(product.id, 3)], "k1")
    catalog_fails.no_more()

    assert pending.status is OrderStatus.PENDING
    assert fake.complete_order(pending.id).status is OrderStatus.PLACED
    assert fake.get_lines([pending.id]) == {pending.id: [OrderLine(product.id, "Oak Chair", product.price, "EUR", 3)]}
    assert stock.left(product) == 7


def test_what_was_cancelled_is_in_stock_again(fake, stock, customer):
    product = stock()
    order = fake.place_order(customer, [Line(product.id, 3)], "k1")

    fake.cancel_order(customer, order.id, "Too late.")

    assert stock.left(product) == 10


def test_the_fake_has_all_that_the_orders_have():
    orders = Orders(Catalog())
    for name in public.__all__:
        theirs, ours = getattr(public, name), getattr(orders, name)
        if inspect.isfunction(theirs):
            assert inspect.signature(ours) == inspect.signature(theirs), name
        else:
            assert ours is theirs
