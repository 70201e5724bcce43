from datetime import UTC, datetime
from decimal import Decimal

import pytest

from apps.catalog.models import Product
from apps.catalog.tests.factories import ProductFactory
from apps.common.queries import KeptQuery

pytestmark = pytest.mark.django_db

COLUMNS = ("id", "sku", "price", "is_active", "created_at")
BY_IDS = KeptQuery(lambda ids: Product.objects.filter(pk__among=ids).order_by("id").values_list(*COLUMNS))
DEARER = KeptQuery(
    lambda price, active: Product.objects.filter(price__gt=price, is_active=active).values_list("sku").order_by("sku")
)


def test_a_kept_query_gives_what_django_gives():
    made = [ProductFactory(price=Decimal("19.90")), ProductFactory(is_active=False)]
    ids = [product.id for product in made]

    expected = list(Product.objects.filter(pk__in=ids).order_by("id").values_list(*COLUMNS))
    assert BY_IDS.run(ids) == expected
    assert BY_IDS.run(ids)[0][2:] == (Decimal("19.90"), True, datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))


def test_each_run_brings_its_own_values():
    one, two = ProductFactory(), ProductFactory()

    assert [row[0] for row in BY_IDS.run([one.id])] == [one.id]
    assert [row[0] for row in BY_IDS.run([two.id, one.id, 5])] == [one.id, two.id]
    assert BY_IDS.run([]) == []


def test_several_values_keep_their_places():
    ProductFactory(sku="A", price=Decimal(1))
    ProductFactory(sku="B", price=Decimal(3))
    ProductFactory(sku="C", price=Decimal(3), is_active=False)

    assert DEARER.run("2", True) == [("B",)]
    assert DEARER.run("0.5", False) == [("C",)]


def test_a_value_is_never_part_of_the_sql():
    ProductFactory(sku="A", price=Decimal(1))
    sku = KeptQuery(lambda sku: Product.objects.filter(sku=sku).values_list("id"))

    assert sku.run("x' OR '1' = '1") == []


def test_a_run_is_one_query(django_assert_num_queries):
    BY_IDS.run([1])
    with django_assert_num_queries(1):
        BY_IDS.run([1, 2])
