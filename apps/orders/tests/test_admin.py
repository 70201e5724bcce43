from datetime import timedelta

import pytest
from django.urls import NoReverseMatch, reverse
from django.utils import timezone

from apps.accounts.tests.factories import LimitedStaffFactory, StaffFactory, UserFactory
from apps.orders import models, repository, services
from apps.orders.entities import Line, OrderStatus
from apps.orders.tests.factories import LineFactory, OrderFactory
from framework.audit.models import Entry
from framework.queue.models import QueuedTask

pytestmark = pytest.mark.django_db

LIST = reverse("admin:orders_order_changelist")


@pytest.fixture
def staff(client):
    client.user = StaffFactory(is_superuser=True)
    client.force_login(client.user)
    return client


def page_of(order):
    return reverse("admin:orders_order_change", args=[order.id])


def shown(response):
    return [order.id for order in response.context["cl"].result_list]


def cancel(client, orders, reason):
    selected = [order.id for order in orders]
    response = client.post(LIST, {"action": "cancel", "_selected_action": selected, "reason": reason}, follow=True)
    return [str(message) for message in response.context["messages"]]


@pytest.mark.parametrize("number", [10, 100])
def test_the_list_costs_the_same_queries_whatever_its_length(staff, django_assert_num_queries, number):
    OrderFactory.create_batch(number)
    staff.get(LIST)  # Django remembers some content types from now on

    with django_assert_num_queries(3):
        response = staff.get(LIST)

    assert len(shown(response)) == number
    assert b"19.90" in response.content


@pytest.mark.parametrize("number", [1, 20])
def test_an_order_costs_the_same_queries_however_many_lines_it_has(staff, django_assert_num_queries, number):
    order = OrderFactory()
    LineFactory.create_batch(number, order=order)
    staff.get(page_of(order))

    with django_assert_num_queries(4):
        response = staff.get(page_of(order))

    assert response.content.decode().count("Oak Chair") >= number + 1


def test_the_list_is_sorted_searched_and_filtered(staff):
    first, second = OrderFactory(customer_id=41), OrderFactory(customer_id=42, status=OrderStatus.REJECTED)

    assert shown(staff.get(LIST)) == [second.id, first.id]
    assert shown(staff.get(LIST, {"q": "41"})) == [first.id]
    assert shown(staff.get(LIST, {"q": str(second.id)})) == [second.id]
    assert shown(staff.get(LIST, {"status__exact": "rejected"})) == [second.id]


def test_an_order_is_shown_with_its_lines_and_history_and_without_its_key(staff, stock, customer):
    product = stock()
    order = services.place_order(customer, [Line(product.id, 3)], "the-idempotency-key")

    text = staff.get(page_of(order)).content.decode()

    assert all(part in text for part in ("Oak Chair", "19.90", "59.70", str(product.id)))
    assert all(part in text for part in ("orders.pending", "orders.placed", f"user:{customer.user_id}"))
    assert "the-idempotency-key" not in text


def test_a_line_links_to_its_product_where_the_catalog_is_here(staff, settings):
    order = OrderFactory(line__product_id=77)
    try:
        link = f'<a href="{reverse("admin:catalog_product_change", args=[77])}">77</a>'
    except NoReverseMatch:  # it runs elsewhere
        link = "<p>77</p>"

    assert link in staff.get(page_of(order)).content.decode()


def test_orders_are_cancelled_with_a_reason(staff, stock, customer, history):
    product = stock()
    orders = [services.place_order(customer, [Line(product.id, 1)], f"k{n}") for n in range(3)]

    assert cancel(staff, orders[:2], "Fraud.") == ["2 cancelled."]

    statuses = [repository.get_order(order.id).status for order in orders]
    assert statuses == [OrderStatus.CANCELLED, OrderStatus.CANCELLED, OrderStatus.PLACED]
    assert history(orders[0])[-1] == f"placed -> cancelled by user:{staff.user.id}: Fraud."
    assert QueuedTask.objects.filter(task="orders.release_stock").count() == 2


def test_what_cannot_be_cancelled_is_named(staff):
    rejected, placed = OrderFactory(status=OrderStatus.REJECTED), OrderFactory()

    said = cancel(staff, [rejected, placed], "Fraud.")

    assert said == [f"Order {rejected.id}: The order is rejected: it cannot be cancelled.", "1 cancelled."]


def test_without_a_reason_nothing_is_cancelled(staff):
    orders = OrderFactory.create_batch(2)

    assert cancel(staff, orders, " ") == ["Say why.", "0 cancelled."]

    assert {repository.get_order(order.id).status for order in orders} == {OrderStatus.PLACED}
    assert not Entry.objects.exists()


def test_who_may_only_look_cancels_nothing(client):
    client.force_login(LimitedStaffFactory(rights=["orders.view_order"]))
    order = OrderFactory()

    page = client.get(LIST)
    cancel(client, [order], "Fraud.")

    assert shown(page) == [order.id]
    assert page.context["action_form"] is None
    assert repository.get_order(order.id).status is OrderStatus.PLACED


def test_nobody_adds_changes_or_deletes_an_order(staff):
    order = OrderFactory()

    responses = [
        staff.post(reverse("admin:orders_order_add"), {"customer_id": "1"}),
        staff.post(page_of(order), {"status": "rejected"}),
        staff.post(reverse("admin:orders_order_delete", args=[order.id]), {"post": "yes"}),
    ]

    assert [response.status_code for response in responses] == [403, 403, 403]
    assert models.Order.objects.get() == order
    assert repository.get_order(order.id).status is OrderStatus.PLACED


@pytest.mark.parametrize("user", [None, UserFactory])
def test_who_is_not_staff_is_sent_to_the_login(client, user):
    order = OrderFactory()
    if user:
        client.force_login(user())

    for response in (client.get(LIST), client.get(page_of(order)), client.post(LIST, {"action": "cancel"})):
        assert response.status_code == 302
        assert response.url.startswith("/admin/login/")


def test_orders_that_stay_pending_are_on_the_front_page(staff):
    OrderFactory(status=OrderStatus.PENDING, created_at=timezone.now() - timedelta(minutes=11))
    OrderFactory(status=OrderStatus.PENDING)
    OrderFactory(created_at=timezone.now() - timedelta(minutes=11))

    lines = staff.get(reverse("admin:index")).context["sections"]["Needs a person"]
    (line,) = [line for line in lines if line.text.startswith("Orders")]
    assert line.detail == "1: does the catalog answer?"
    assert len(shown(staff.get(line.url))) == 2
