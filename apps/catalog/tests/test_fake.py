"""The fake keeps the contract: the tests of `test_contract`, with a catalog in memory in the database's place."""

import inspect
from decimal import Decimal
from itertools import count
from types import SimpleNamespace

import pytest

from apps.catalog import fake, public
from apps.catalog.entities import Line, ProductDraft, ReservationStatus
from apps.catalog.tests import test_contract
from apps.catalog.tests.factories import CREATED
from apps.catalog.tests.test_contract import *  # noqa: F403
from framework.actor import SYSTEM
from framework.errors import FailedPrecondition
from framework.testing.seam import Functions

# These are about how the call travels, not about the catalog.
del test_who_acts_in_which_request_and_how_long_it_may_take_arrive  # noqa: F821
del test_a_deadline_that_has_passed_ends_what_has_to_be_waited_for  # noqa: F821

# The fake takes any value for a product's fields.
del test_values_that_cannot_be  # noqa: F821
del test_a_price_that_no_message_can_hold  # noqa: F821

pytestmark = []  # no database


class Factory:
    """ProductFactory's twin, for the fake."""

    def __init__(self, shop):
        self.shop = shop
        self.numbers = count()

    def __call__(self, is_active=True, price=Decimal("19.90"), name=None):
        number = next(self.numbers)
        draft = ProductDraft(f"SKU-{number}", name or f"Product {number}", Decimal(price), "Made of oak.", "EUR", 10)
        product = self.shop.create_product(SYSTEM, draft)
        product = product._replace(is_active=is_active, created_at=CREATED, updated_at=CREATED)
        self.shop._products[product.id] = product
        return product

    def create_batch(self, number):
        return [self() for _ in range(number)]


@pytest.fixture
def shop(monkeypatch):
    shop = fake.Catalog()
    stored = SimpleNamespace(
        get_product=shop.get_product,
        list_products=shop.list_products,
        upsert_products=lambda drafts: [shop.create_product(SYSTEM, draft) for draft in drafts],
        iterate_products=lambda: [list(shop._products.values())],
    )
    monkeypatch.setattr(test_contract, "repository", stored)
    monkeypatch.setattr(test_contract, "ProductFactory", Factory(shop))
    return shop


@pytest.fixture
def catalog(shop):
    return Functions(shop)


@pytest.fixture
def product(shop):
    return test_contract.ProductFactory()


def test_a_reservation_that_has_run_out(shop, product):
    shop.reserve("k", [Line(product.id, 10)])
    shop.expire("k")

    assert shop.get_product(product.id).stock == 10
    with pytest.raises(FailedPrecondition, match="expired"):
        shop.commit("k")
    assert shop.reserve("k", [Line(product.id, 10)]).status is ReservationStatus.HELD


def test_it_begins_with_what_it_is_given():
    shop = fake.Catalog([ProductDraft("OAK-1", "Oak Chair", Decimal("19.9"), stock=3)])

    (chair,) = shop.list_products().items
    assert chair[1:9] == ("OAK-1", "Oak Chair", "", Decimal("19.90"), "EUR", 3, True, 1)


def test_the_fake_has_all_that_the_catalog_has():
    for name in public.__all__:
        theirs, ours = getattr(public, name), getattr(fake.Catalog(), name)
        if inspect.isfunction(theirs):
            assert inspect.signature(ours) == inspect.signature(theirs), name
        else:
            assert ours is theirs
