from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction

from apps.orders import models, repository
from apps.orders.entities import OrderLine, OrderStatus
from apps.orders.tests.factories import LineFactory, OrderFactory
from framework.actor import SYSTEM
from framework.audit.models import Entry
from framework.errors import NotFound

pytestmark = pytest.mark.django_db

LINE = ("Oak Chair", Decimal("19.90"), "EUR", 1)


def test_an_order_has_a_status_and_no_mere_text():
    order = OrderFactory()

    found = [repository.get_order(order.id), *repository.list_orders(None).items]

    assert [one.status for one in found] == [OrderStatus.PLACED] * 2
    assert all(one.status is OrderStatus.PLACED for one in found)


def test_lines_of_many_orders_come_in_one_query(django_assert_num_queries):
    first, second, third = (OrderFactory(line__product_id=20) for _ in range(3))
    LineFactory(order=first, product_id=10)
    ids = [second.id, first.id, 5, first.id]

    with django_assert_num_queries(1):
        found = repository.get_lines(ids)

    assert found == {
        first.id: [OrderLine(10, *LINE), OrderLine(20, *LINE)],
        second.id: [OrderLine(20, *LINE)],
        5: [],
    }
    assert third.id not in found


@pytest.mark.parametrize("size", [2, 50])
def test_a_page_costs_one_query_whatever_its_size(django_assert_num_queries, size):
    orders = OrderFactory.create_batch(51)
    OrderFactory(customer_id=8)

    with django_assert_num_queries(1):
        page = repository.list_orders(7, first=size)

    assert [order.id for order in page.items] == [order.id for order in orders[::-1][:size]]


def test_staff_goes_through_all_orders():
    orders = [OrderFactory(customer_id=number) for number in range(3)]

    page = repository.list_orders(None, first=2)
    rest = repository.list_orders(None, first=2, after=page.next_token)

    assert [order.id for order in page.items + rest.items] == [order.id for order in orders[::-1]]
    assert repository.count_orders(None) == 3


@pytest.mark.parametrize("source", OrderStatus)
@pytest.mark.parametrize("target", OrderStatus)
def test_a_transition_starts_only_where_it_may(source, target):
    order = OrderFactory(status=source)
    allowed = [OrderStatus.PENDING, OrderStatus.PLACED]

    with transaction.atomic():
        moved = repository.move(order.id, allowed, target, SYSTEM, "Because.")

    assert repository.get_order(order.id).status is (target if source in allowed else source)
    assert moved == (repository.get_order(order.id) if source in allowed else None)
    assert [(row.before, row.after) for row in Entry.objects.all()] == (
        [({"status": source}, {"status": target}) if source != target else ({}, {})] * bool(moved)
    )


def test_nothing_moves_that_is_not_there():
    with transaction.atomic(), pytest.raises(NotFound):
        repository.move(5, OrderStatus, OrderStatus.PLACED, SYSTEM)


@pytest.mark.parametrize("bad", [{"total": -1}, {"line__quantity": 0}])
def test_the_database_itself_refuses_what_must_not_be(bad):
    with transaction.atomic(), pytest.raises(IntegrityError):
        OrderFactory(**bad)


def test_an_order_has_a_product_once():
    order = OrderFactory(line__product_id=20)

    with transaction.atomic(), pytest.raises(IntegrityError):
        LineFactory(order=order, product_id=20)


def test_keys_are_forgotten_not_orders():
    OrderFactory(key=None)
    old = OrderFactory(key="old")
    models.Order.objects.filter(pk=old.pk).update(created_at=old.created_at - 2 * repository.KEYS_KEPT)
    OrderFactory(key="new")

    assert repository.forget_keys(10) == 1
    assert repository.forget_keys(10) == 0
    assert list(models.Order.objects.order_by("id").values_list("key", flat=True)) == [None, None, "new"]
