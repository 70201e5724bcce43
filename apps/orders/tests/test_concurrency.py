"""What only a server with real locks can show."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connections, transaction

from apps.orders import models, repository, rules, services, tasks
from apps.orders.entities import Line, OrderStatus
from framework.errors import AlreadyExists, ResourceExhausted, Unavailable
from framework.queue.models import QueuedTask

pytestmark = [pytest.mark.postgresql, pytest.mark.django_db(transaction=True)]

THREADS = 8


def at_once(jobs):
    """The results of the jobs, of which THREADS run at a time; the first of them begin together."""
    together = Barrier(THREADS)

    def work(number, job):
        try:
            if number < THREADS:
                together.wait(timeout=10)
            return job()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(work, range(len(jobs)), jobs))


def test_the_last_items_are_sold_once(stock, customer):
    product = stock(5)

    orders = at_once([lambda n=n: services.place_order(customer, [Line(product.id, 1)], f"k{n}") for n in range(40)])

    assert Counter(order.status for order in orders) == {OrderStatus.PLACED: 5, OrderStatus.REJECTED: 35}
    assert stock.left(product) == 0


def test_orders_over_the_same_products_never_wait_in_a_circle(stock, customer):
    products = [stock(10_000) for _ in range(6)]
    forwards = [Line(product.id, 1) for product in products]

    orders = at_once(
        [lambda n=n: services.place_order(customer, forwards[:: 1 if n % 2 else -1], f"k{n}") for n in range(48)]
    )

    assert {order.status for order in orders} == {OrderStatus.PLACED}
    assert [stock.left(product) for product in products] == [10_000 - 48] * 6


def test_a_lock_that_others_hold_does_not_keep_a_customer_waiting(stock, customer, catalog_fails, monkeypatch):
    product = stock(5)
    catalog_fails("get_products", Unavailable("down"))
    order = services.place_order(customer, [Line(product.id, 1)], "k1")
    catalog_fails.no_more()
    monkeypatch.setattr(services, "ANSWER_WITHIN", 0.5)
    with transaction.atomic(), ThreadPoolExecutor(1) as others:
        models.Order.objects.select_for_update().get(pk=order.id)

        def again():
            try:
                return services.place_order(customer, [Line(product.id, 1)], "k1")
            finally:
                connections.close_all()

        assert others.submit(again).result(timeout=20).status is OrderStatus.PENDING


def test_at_once_a_customer_can_have_no_more_on_order_than_one_by_one(stock, customer, monkeypatch):
    monkeypatch.setattr(rules, "MAX_HELD_PIECES", 7)
    product = stock(100)

    def place(number):
        try:
            return services.place_order(customer, [Line(product.id, 1)], f"k{number}").status
        except ResourceExhausted:
            return "refused"

    results = at_once([lambda n=n: place(n) for n in range(24)])

    assert Counter(results) == {OrderStatus.PLACED: 7, "refused": 17}
    assert stock.left(product) == 93


def test_copies_of_an_order_are_one_order(stock, customer):
    product = stock(100)

    orders = at_once([lambda: services.place_order(customer, [Line(product.id, 2)], "k1")] * 20)

    assert {order.id for order in orders} == {models.Order.objects.get().id}
    assert repository.get_order(orders[0].id).status is OrderStatus.PLACED
    assert stock.left(product) == 98
    assert QueuedTask.objects.filter(task="orders.send_confirmation").count() == 1
    assert models.Transition.objects.count() == 2


def test_of_two_orders_under_one_key_one_is_refused(stock, customer):
    product = stock(100)

    def place(quantity):
        try:
            return services.place_order(customer, [Line(product.id, quantity)], "k1").status
        except AlreadyExists:
            return "refused"

    results = at_once([lambda n=n: place(1 + n % 2) for n in range(20)])

    assert Counter(results) == {OrderStatus.PLACED: 10, "refused": 10}
    assert stock.left(product) in (98, 99)


def test_placing_and_cancelling_at_once_leaves_no_stock_behind(stock, customer):
    product = stock(100)
    orders = [models.Order.objects.get(pk=place_pending(customer, product, n)) for n in range(16)]

    at_once(
        [
            job
            for order in orders
            for job in (
                lambda order=order: services.complete_order(order.id),
                lambda order=order: services.cancel_order(customer, order.id, "No."),
            )
        ]
    )
    for row in QueuedTask.objects.filter(task="orders.release_stock"):
        tasks.release_stock(*row.args)

    assert {repository.get_order(order.id).status for order in orders} == {OrderStatus.CANCELLED}
    assert stock.left(product) == 100


def place_pending(customer, product, number):
    return repository.add_order(customer, customer.user_id, f"k{number}", "f", [Line(product.id, 1)]).id
