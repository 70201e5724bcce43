import pytest
from django.conf import settings

from apps.accounts.tests.factories import UserFactory
from apps.orders import services, tasks
from apps.orders.entities import Line, OrderStatus
from apps.orders.tests.factories import OrderFactory
from framework import mail
from framework.actor import Actor
from framework.errors import NotFound, Unavailable
from framework.queue.models import QueuedTask

pytestmark = pytest.mark.django_db


def test_a_customer_gets_a_mail_of_what_was_bought(stock, mailoutbox):
    user = UserFactory(email="kim@example.com")
    chair, table = stock(name="Oak Chair", price="19.90"), stock(name="Oak Table", price="100.05")
    lines = [Line(chair.id, 3), Line(table.id, 2)]
    order = services.place_order(Actor(user_id=user.id), lines, "k1")
    assert mailoutbox == []

    tasks.send_confirmation(order.id)

    (message,) = mailoutbox
    assert message.to == ["kim@example.com"]
    assert message.subject == f"{settings.EMAIL_SUBJECT_PREFIX}Your order {order.id}"
    assert message.body == (
        "    3 x Oak Chair  19.90 EUR\n"
        "    2 x Oak Table  100.05 EUR\n"
        "\n"
        "Total: 259.80 EUR\n"
    )  # fmt: skip


def test_an_address_gets_some_confirmations_an_hour_and_no_more(mailoutbox, monkeypatch):
    monkeypatch.setattr(mail, "AN_HOUR", 2)
    order = OrderFactory(customer_id=UserFactory().id)
    for _ in range(4):
        tasks.send_confirmation(order.id)

    assert len(mailoutbox) == 2


@pytest.mark.parametrize("status", [status for status in OrderStatus if status is not OrderStatus.PLACED])
def test_no_mail_about_an_order_that_is_not_placed(mailoutbox, status):
    order = OrderFactory(status=status, customer_id=UserFactory().id)

    tasks.send_confirmation(order.id)

    assert mailoutbox == []


def test_a_mail_about_nothing_or_to_nobody_is_given_up(mailoutbox):
    with pytest.raises(NotFound):
        tasks.send_confirmation(5)
    with pytest.raises(NotFound):
        tasks.send_confirmation(OrderFactory(customer_id=5).id)

    assert mailoutbox == []


def test_stock_goes_back_once_the_catalog_answers(stock, customer, catalog_fails):
    product = stock()
    order = services.place_order(customer, [Line(product.id, 3)], "k1")
    services.cancel_order(customer, order.id, "No.")
    catalog_fails("release", Unavailable("answer lost"), after_effect=True)
    with pytest.raises(Unavailable):
        tasks.release_stock(order.id)

    catalog_fails.no_more()
    tasks.release_stock(order.id)

    assert stock.left(product) == 10


@pytest.mark.parametrize("task", [tasks.complete_order, tasks.release_stock])
def test_what_waits_for_the_catalog_is_tried_without_end_and_every_minute(task):
    assert (task.max_retries, task.retry_backoff_max) == (None, 60)


def test_tasks_are_queued_with_the_order_or_not_at_all(customer, monkeypatch):
    monkeypatch.setattr(tasks.complete_order, "apply_async", lambda *_, **__: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        services.place_order(customer, [Line(1, 1)], "k1")

    assert services.count_orders(customer) == QueuedTask.objects.count() == 0
