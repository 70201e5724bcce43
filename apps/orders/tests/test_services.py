from collections import Counter
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.catalog import public as catalog
from apps.orders import models, repository, rules, services, tasks
from apps.orders.entities import Line, OrderLine, OrderStatus
from framework import context
from framework.actor import NOBODY, SYSTEM, Actor
from framework.errors import (
    AlreadyExists,
    DeadlineExceeded,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    ResourceExhausted,
    Unauthenticated,
    Unavailable,
)
from framework.queue.models import QueuedTask
from framework.seam.remote import is_remote

pytestmark = pytest.mark.django_db

SILENCE = [Unavailable("down"), DeadlineExceeded("slow"), ResourceExhausted("busy"), ZeroDivisionError("a bug")]


def queued(name):
    rows = QueuedTask.objects.filter(task=f"orders.{name}").order_by("id")
    return [tuple(row.args) for row in rows]


def number_of_orders():
    return models.Order.objects.count()


@pytest.fixture
def pending(stock, customer, catalog_fails):
    """An order that the catalog did not answer for: of 3 out of 10."""
    product = stock()
    catalog_fails("get_products", Unavailable("down"))
    order = services.place_order(customer, [Line(product.id, 3)], "pending")
    catalog_fails.no_more()
    assert order.status is OrderStatus.PENDING
    return order, product


@pytest.fixture
def placed(stock, customer):
    product = stock()
    order = services.place_order(customer, [Line(product.id, 3)], "placed")
    assert order.status is OrderStatus.PLACED
    return order, product


@pytest.fixture
def rejected(stock, customer):
    order = services.place_order(customer, [Line(stock(0).id, 1)], "rejected")
    assert order.status is OrderStatus.REJECTED
    return order


def test_an_order_is_placed_and_takes_its_stock(stock, customer, history):
    chair, table = stock(name="Oak Chair", price="19.90"), stock(name="Oak Table", price="100.05")
    before = timezone.now()

    order = services.place_order(customer, [Line(table.id, 2), Line(chair.id, 3)], "k1")

    assert order == repository.get_order(order.id)
    assert order[1:6] == (customer.user_id, OrderStatus.PLACED, Decimal("259.80"), "EUR", "")
    assert before <= order.created_at <= order.updated_at <= timezone.now()
    assert repository.get_lines([order.id])[order.id] == [
        OrderLine(chair.id, "Oak Chair", Decimal("19.90"), "EUR", 3),
        OrderLine(table.id, "Oak Table", Decimal("100.05"), "EUR", 2),
    ]
    assert (stock.left(chair), stock.left(table)) == (7, 8)
    assert history(order) == [f"new -> pending by user:{customer.user_id}", "pending -> placed by service:system"]
    assert queued("send_confirmation") == [(order.id,)]


@pytest.mark.skipif(is_remote("catalog"), reason="the catalog's statements are sent elsewhere")
@pytest.mark.django_db(transaction=True)  # so that no savepoint takes the place of a transaction
@pytest.mark.parametrize("lines", [1, 5])
def test_an_order_costs_a_known_number_of_statements(stock, customer, lines):
    wanted = [Line(stock().id, 1) for _ in range(lines)]
    services.place_order(customer, wanted, "warm")

    with CaptureQueriesContext(connection) as sent:
        order = services.place_order(customer, wanted, "k1")

    words = Counter(query["sql"].split()[0].rstrip(";") for query in sent)
    assert order.status is OrderStatus.PLACED
    assert words == {
        "BEGIN": 4,
        "COMMIT": 4,
        "INSERT": 8,
        "SELECT": 3 + (connection.vendor == "postgresql"),
        "UPDATE": 3 + lines,
        "DELETE": 1,
    }


def test_an_order_that_is_placed_at_once_leaves_no_task_to_complete_it(placed):
    assert [row.task for row in QueuedTask.objects.all()] == ["orders.send_confirmation"]


def test_an_order_that_is_rejected_at_once_leaves_no_task_to_complete_it(rejected):
    assert [row.task for row in QueuedTask.objects.all()] == ["orders.release_stock"]


def test_name_and_price_stay_as_they_were(placed):
    order, product = placed
    version = catalog.get_product(product.id).version
    catalog.update_product(SYSTEM, product.id, version, catalog.ProductChanges(name="New", price=Decimal(1)))

    tasks.complete_order(order.id)

    assert repository.get_order(order.id) == order
    assert repository.get_lines([order.id])[order.id] == [OrderLine(product.id, product.name, product.price, "EUR", 3)]


def test_an_order_of_more_than_there_is_is_rejected_and_takes_nothing(stock, customer, history):
    enough, scarce = stock(5), stock(2)

    order = services.place_order(customer, [Line(enough.id, 1), Line(scarce.id, 3)], "k1")

    assert (order.status, order.reason) == (OrderStatus.REJECTED, "There is not enough in stock.")
    assert (order.total, order.currency) == (0, "")
    assert (stock.left(enough), stock.left(scarce)) == (5, 2)
    assert history(order) == [
        f"new -> pending by user:{customer.user_id}",
        "pending -> rejected by service:system: There is not enough in stock.",
    ]
    assert queued("send_confirmation") == []


def test_what_cannot_be_sold_is_rejected_and_nothing_is_taken(stock, customer):
    chair, archived, foreign = stock(), stock(), stock(currency="USD")
    dear = stock(quantity=10_000, price="9999999999.99")
    stock.archive(archived)

    reasons = {
        lines: services.place_order(customer, [Line(*line) for line in lines], f"k{number}").reason
        for number, lines in enumerate(
            [
                ((chair.id, 1), (5, 1), (7, 1)),
                ((archived.id, 1),),
                ((chair.id, 1), (foreign.id, 1)),
                ((chair.id, 1), (dear.id, 101)),
                tuple((product_id, 1) for product_id in range(1, 101)),
            ]
        )
    }

    assert list(reasons.values()) == [
        "There is no product 5, 7.",
        "There is not enough in stock.",
        "The products are sold in different currencies.",
        "The total is too large.",
        "There is no product 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 (and others).",
    ]
    assert [stock.left(product) for product in (chair, archived, foreign, dear)] == [10, 10, 10, 10_000]


@pytest.mark.parametrize(
    ("lines", "key", "fields"),
    [
        ([], "k", {"lines": "must be 1 to 100, each product once"}),
        ([(1, 1), (1, 2)], "k", {"lines": "must be 1 to 100, each product once"}),
        ([(n, 1) for n in range(101)], "k", {"lines": "must be 1 to 100, each product once"}),
        ([(1, 0)], "k", {"quantity": "must be between 1 and 10000"}),
        ([(1, 1), (2, -1)], "k", {"quantity": "must be between 1 and 10000"}),
        ([(1, 10_001)], "k", {"quantity": "must be between 1 and 10000"}),
        ([(1, 1)], "", {"key": "must have 1 to 64 characters, none NUL"}),
        ([(1, 1)], "x" * 65, {"key": "must have 1 to 64 characters, none NUL"}),
        (
            [(1, 0), (1, 0)],
            "\0",
            {
                "key": "must have 1 to 64 characters, none NUL",
                "lines": "must be 1 to 100, each product once",
                "quantity": "must be between 1 and 10000",
            },
        ),
    ],
)
def test_an_order_that_makes_no_sense_is_refused_and_not_written(customer, lines, key, fields):
    with pytest.raises(InvalidArgument) as refused:
        services.place_order(customer, [Line(*line) for line in lines], key)

    assert refused.value.fields == fields
    assert number_of_orders() == QueuedTask.objects.count() == 0


@pytest.mark.parametrize(("actor", "error"), [(NOBODY, Unauthenticated), (SYSTEM, PermissionDenied)])
def test_who_is_no_user_orders_nothing(stock, actor, error):
    product = stock()

    with pytest.raises(error):
        services.place_order(actor, [Line(product.id, 1)], "k")
    with pytest.raises(error):
        services.list_orders(actor)
    with pytest.raises(error):
        services.count_orders(actor)

    assert number_of_orders() == 0
    assert stock.left(product) == 10


def test_what_was_ordered_yesterday_and_what_was_rejected_is_on_order_no_more(stock, customer, monkeypatch):
    monkeypatch.setattr(rules, "MAX_HELD_ORDERS", 1)
    product = stock(5)
    services.place_order(customer, [Line(product.id, 6)], "rejected")
    services.place_order(customer, [Line(product.id, 1)], "placed")
    with pytest.raises(ResourceExhausted):
        services.place_order(customer, [Line(product.id, 1)], "refused")
    assert number_of_orders() == 2
    assert queued("complete_order") == []
    models.Order.objects.update(created_at=timezone.now() - rules.HELD_FOR)

    assert services.place_order(customer, [Line(product.id, 1)], "again").status is OrderStatus.PLACED


def test_the_same_key_and_lines_give_the_same_order(stock, customer, history):
    chair, table = stock(), stock()
    lines = [Line(chair.id, 1), Line(table.id, 2)]

    order = services.place_order(customer, lines, "k1")
    again = [services.place_order(customer, some, "k1") for some in (lines, lines[::-1])]

    assert again == [order, order]
    assert number_of_orders() == 1
    assert (stock.left(chair), stock.left(table)) == (9, 8)
    assert len(history(order)) == 2
    assert queued("send_confirmation") == [(order.id,)]


@pytest.mark.parametrize("change", [lambda line: line._replace(quantity=2), lambda line: Line(5, 1)])
def test_a_key_with_other_lines_is_refused(stock, customer, change):
    product = stock()
    line = Line(product.id, 1)
    order = services.place_order(customer, [line], "k1")

    with pytest.raises(AlreadyExists) as refused:
        services.place_order(customer, [change(line)], "k1")

    assert (refused.value.reason, refused.value.fields) == ("KEY_REUSED", {"key": "was used"})
    assert repository.get_order(order.id) == order
    assert number_of_orders() == 1
    assert stock.left(product) == 9


def test_a_key_is_the_customers_own(stock, customer, other):
    product = stock()

    mine = services.place_order(customer, [Line(product.id, 1)], "k1")
    theirs = services.place_order(other, [Line(product.id, 2)], "k1")

    assert (mine.customer_id, theirs.customer_id) == (customer.user_id, other.user_id)
    assert stock.left(product) == 7


def test_a_key_is_kept_for_a_day(stock, customer):
    product = stock()
    order = services.place_order(customer, [Line(product.id, 1)], "k1")

    def age(**times):
        models.Order.objects.filter(pk=order.id).update(created_at=timezone.now() - timedelta(**times))
        tasks.forget_keys()
        return services.place_order(customer, [Line(product.id, 1)], "k1")

    assert age(hours=23, minutes=59).id == order.id
    assert age(hours=24, seconds=1).id != order.id
    assert stock.left(product) == 8


def test_a_key_that_is_forgotten_in_this_very_moment_is_asked_for_again(stock, customer, monkeypatch):
    product = stock()
    services.place_order(customer, [Line(product.id, 1)], "k1")
    monkeypatch.setattr(repository, "find_by_key", lambda *_: None)

    with pytest.raises(Unavailable) as refused:
        services.place_order(customer, [Line(product.id, 1)], "k1")

    assert refused.value.reason == "KEY_FORGOTTEN"
    assert number_of_orders() == 1


@pytest.mark.parametrize("after_effect", [False, True], ids=["not reached", "answer lost"])
@pytest.mark.parametrize("error", SILENCE, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("function", ["get_products", "reserve", "commit"])
def test_an_order_waits_for_a_catalog_that_does_not_answer(
    stock, customer, catalog_fails, history, function, error, after_effect
):
    product = stock()
    catalog_fails(function, error, after_effect=after_effect)

    order = services.place_order(customer, [Line(product.id, 3)], "k1")

    assert (order.status, order.total, order.reason) == (OrderStatus.PENDING, 0, "")
    assert queued("complete_order") == [(order.id,)]
    with pytest.raises(type(error)):
        tasks.complete_order(order.id)
    assert services.place_order(customer, [Line(product.id, 3)], "k1") == order

    catalog_fails.no_more()
    tasks.complete_order(order.id)
    tasks.complete_order(order.id)

    done = repository.get_order(order.id)
    assert (done.status, done.total) == (OrderStatus.PLACED, Decimal("59.70"))
    assert services.place_order(customer, [Line(product.id, 3)], "k1") == done
    assert stock.left(product) == 7
    assert len(history(order)) == 2
    assert queued("send_confirmation") == [(order.id,)]


def test_the_catalog_gets_what_is_left_of_a_customers_time(stock, customer, monkeypatch):
    left = []

    def hangs(_):
        left.append(context.seconds_left())
        raise DeadlineExceeded("The caller no longer waits for this.")

    product = stock()
    monkeypatch.setattr(catalog, "get_products", hangs)
    monkeypatch.setattr(context, "age", lambda: 2.0)
    order = services.place_order(customer, [Line(product.id, 3)], "k1")

    assert order.status is OrderStatus.PENDING
    assert 0 < left[0] <= services.ANSWER_WITHIN - 2.0


def test_a_customer_who_has_waited_long_enough_is_told_at_once(stock, customer, calls, monkeypatch):
    product = stock()
    monkeypatch.setattr(context, "age", lambda: services.ANSWER_WITHIN)
    order = services.place_order(customer, [Line(product.id, 3)], "k1")

    assert order.status is OrderStatus.PENDING
    assert queued("complete_order") == [(order.id,)]
    assert calls == []


def test_a_pending_order_is_looked_at_by_a_task_soon(pending):
    row = QueuedTask.objects.get(task="orders.complete_order")

    assert timedelta(seconds=8) < row.due_at - timezone.now() <= timedelta(seconds=10)


def test_a_pending_order_of_what_was_sold_meanwhile_is_rejected(pending, other, stock, history):
    order, product = pending
    services.place_order(other, [Line(product.id, 8)], "k1")

    tasks.complete_order(order.id)

    assert repository.get_order(order.id).status is OrderStatus.REJECTED
    assert history(order)[-1] == "pending -> rejected by service:system: There is not enough in stock."
    assert stock.left(product) == 2


def test_what_a_rejected_order_may_have_taken_goes_back(stock, customer, catalog_fails):
    product = stock()
    gone = FailedPrecondition("The reservation is expired.", reason="RESERVATION_GONE")
    catalog_fails("commit", gone, after_effect=True)

    order = services.place_order(customer, [Line(product.id, 3)], "k1")
    tasks.release_stock(*queued("release_stock")[0])

    assert (order.status, order.reason) == (OrderStatus.REJECTED, gone.message)
    assert stock.left(product) == 10


def test_a_customer_waits_no_longer_than_promised(stock, customer, monkeypatch):
    left = []
    works = catalog.get_products
    monkeypatch.setattr(catalog, "get_products", lambda ids: left.append(context.seconds_left()) or works(ids))
    context.begin("test", request_id="r", seconds=30)

    services.place_order(customer, [Line(stock().id, 1)], "k1")
    with context.within(1):
        services.place_order(customer, [Line(stock().id, 1)], "k2")

    assert 2 < left[0] <= 3
    assert 0 < left[1] <= 1
    assert context.seconds_left() > 20


def test_nothing_is_completed_that_is_not_there():
    with pytest.raises(NotFound):
        tasks.complete_order(5)


@pytest.mark.parametrize("who", ["customer", "clerk"])
def test_a_placed_order_is_cancelled_and_its_stock_goes_back_once(placed, stock, history, request, who):
    order, product = placed
    actor = request.getfixturevalue(who)

    cancelled = services.cancel_order(actor, order.id, "  Too late.  ")
    again = services.cancel_order(actor, order.id, "Another reason.")

    assert cancelled == again == repository.get_order(order.id)
    assert cancelled == order._replace(
        status=OrderStatus.CANCELLED, reason="Too late.", updated_at=cancelled.updated_at
    )
    assert history(order)[2:] == [f"placed -> cancelled by user:{actor.user_id}: Too late."]
    assert queued("release_stock") == [(order.id,)]
    assert stock.left(product) == 7

    tasks.release_stock(order.id)
    tasks.release_stock(order.id)
    assert stock.left(product) == 10


def test_a_service_on_its_own_behalf_cancels_as_staff_does(placed, history):
    order, _ = placed

    assert services.cancel_order(SYSTEM, order.id, "Fraud.").status is OrderStatus.CANCELLED
    assert history(order)[2:] == ["placed -> cancelled by service:system: Fraud."]


def test_a_pending_order_is_cancelled_and_takes_nothing_later(pending, customer, stock, history):
    order, product = pending

    services.cancel_order(customer, order.id, "Too slow.")
    tasks.release_stock(order.id)
    tasks.complete_order(order.id)

    assert repository.get_order(order.id).status is OrderStatus.CANCELLED
    assert history(order)[1:] == [f"pending -> cancelled by user:{customer.user_id}: Too slow."]
    assert stock.left(product) == 10
    assert queued("send_confirmation") == []


def test_a_rejected_order_cannot_be_cancelled(rejected, customer, history):
    before = history(rejected)

    with pytest.raises(FailedPrecondition) as refused:
        services.cancel_order(customer, rejected.id, "Why not?")

    assert refused.value.reason == "ORDER_NOT_CANCELLABLE"
    assert refused.value.message == "The order is rejected: it cannot be cancelled."
    assert repository.get_order(rejected.id) == rejected
    assert history(rejected) == before


@pytest.mark.parametrize("reason", ["", "   ", "x" * 501, "a\0b"])
def test_an_order_is_not_cancelled_without_a_reason(placed, customer, reason):
    order, _ = placed

    with pytest.raises(InvalidArgument) as refused:
        services.cancel_order(customer, order.id, reason)

    assert refused.value.fields == {"reason": "must have 1 to 500 characters, none NUL"}
    assert repository.get_order(order.id) == order
    assert queued("release_stock") == []


@pytest.mark.parametrize("step", ["get_products", "reserve", "commit"])
@pytest.mark.parametrize("released", [True, False], ids=["released at once", "released later"])
def test_an_order_cancelled_while_it_is_completed_gives_all_stock_back(
    pending, customer, stock, monkeypatch, step, released
):
    order, product = pending
    works = getattr(catalog, step)

    def cancelled_meanwhile(*args, **kwargs):
        result = works(*args, **kwargs)
        services.cancel_order(customer, order.id, "Meanwhile.")
        if released:
            tasks.release_stock(order.id)
        return result

    monkeypatch.setattr(catalog, step, cancelled_meanwhile)
    tasks.complete_order(order.id)
    monkeypatch.undo()
    for order_id in queued("release_stock"):
        tasks.release_stock(*order_id)

    assert repository.get_order(order.id).status is OrderStatus.CANCELLED
    assert stock.left(product) == 10
    assert queued("send_confirmation") == []


def test_an_order_completed_twice_at_once_is_placed_once(pending, stock, monkeypatch, history):
    order, product = pending
    works = catalog.commit

    def overtaken(key):
        monkeypatch.setattr(catalog, "commit", works)
        services.complete_order(order.id)
        return works(key)

    monkeypatch.setattr(catalog, "commit", overtaken)
    done = services.complete_order(order.id)

    assert done == repository.get_order(order.id)
    assert done.status is OrderStatus.PLACED
    assert len(history(order)) == 2
    assert stock.left(product) == 7
    assert queued("send_confirmation") == [(order.id,)]


def test_an_order_is_seen_by_its_customer_and_staff_only(placed, customer, other, clerk):
    order, _ = placed

    for actor in (customer, clerk, SYSTEM, customer._replace(service="shop")):
        assert services.get_order(actor, order.id) == order
    for order_id, actor in [(order.id, other), (order.id, other._replace(service="shop")), (5, customer), (5, clerk)]:
        for function in (services.get_order, lambda *who: services.cancel_order(*who, "No.")):
            with pytest.raises(NotFound) as refused:
                function(actor, order_id)
            assert (refused.value.message, refused.value.reason) == (
                f"There is no order {order_id}.",
                "ORDER_NOT_FOUND",
            )
    for actor in (NOBODY, Actor(service="shop", for_visitor=True)):
        for order_id in (order.id, 5):
            with pytest.raises(Unauthenticated):
                services.get_order(actor, order_id)
            with pytest.raises(Unauthenticated):
                services.cancel_order(actor, order_id, "No.")
    assert repository.get_order(order.id) == order


def test_each_customer_lists_own_orders_only(stock, customer, other, clerk):
    product = stock()
    mine = [services.place_order(customer, [Line(product.id, 1)], f"k{n}") for n in range(3)]
    services.place_order(other, [Line(product.id, 1)], "k")

    page = services.list_orders(customer, first=2)
    rest = services.list_orders(customer, first=2, after=page.next_token)

    assert page.items + rest.items == mine[::-1]
    assert rest.next_token == ""
    assert [services.count_orders(actor) for actor in (customer, other, clerk)] == [3, 1, 0]
    assert services.list_orders(clerk).items == []
    with pytest.raises(InvalidArgument) as refused:
        services.list_orders(other, after=page.next_token)
    assert refused.value.reason == "BAD_PAGE_TOKEN"


def test_nothing_is_ordered_or_cancelled_inside_of_a_transaction(placed, customer):
    order, product = placed

    with transaction.atomic(), pytest.raises(RuntimeError):
        services.place_order(customer, [Line(product.id, 1)], "k")
    with transaction.atomic(), pytest.raises(RuntimeError):
        services.cancel_order(customer, order.id, "No.")

    assert number_of_orders() == 1
    assert repository.get_order(order.id) == order
