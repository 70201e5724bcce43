"""Orders answer the same, value for value and refusal for refusal, however they are reached."""

from decimal import Decimal

import pytest

from apps.orders import models, repository, rules
from apps.orders.entities import Line, OrderLine, OrderStatus, orders_keyset
from apps.orders.tests.factories import OrderFactory
from framework import context
from framework.actor import NOBODY, SYSTEM, Actor
from framework.errors import DomainError, Unavailable
from framework.pages import Page
from framework.testing.seam import CALLER, WAYS, via

pytestmark = pytest.mark.django_db

VISITOR = Actor(service="shop", for_visitor=True)
LOG_IN = ("Unauthenticated", "UNAUTHENTICATED", "UNAUTHENTICATED", {}, "Log in to do this.")
DENIED = ("PermissionDenied", "PERMISSION_DENIED", "PERMISSION_DENIED", {}, "You may not do this.")


@pytest.fixture(params=WAYS)
def orders(request):
    with via("apps.orders", request.param) as functions:
        functions.way = request.param
        yield functions


@pytest.fixture
def order(customer):
    return repository.get_order(OrderFactory(customer_id=customer.user_id).id)


def refusal(function, *args, **kwargs):
    """All that a caller can tell of a refusal."""
    with pytest.raises(DomainError) as raised:
        function(*args, **kwargs)
    error = raised.value
    return type(error).__name__, error.code, error.reason, error.fields, error.message


def add_orders(number):
    rows = models.Order.objects.bulk_create(OrderFactory.build_batch(number, line=None))
    models.OrderLine.objects.bulk_create(models.OrderLine(order=row, product_id=5, quantity=2) for row in rows)
    return [row.id for row in rows]


def missing(order_id):
    return "NotFound", "NOT_FOUND", "ORDER_NOT_FOUND", {}, f"There is no order {order_id}."


def test_an_order_is_placed_once(orders, stock, customer):
    product = stock(price="19.90")
    lines = [Line(product.id, 3)]

    order = orders.place_order(customer, lines, "k1")

    assert order == repository.get_order(order.id) == orders.get_order(customer, order.id)
    assert order == orders.place_order(customer, lines, "k1")
    assert order[1:6] == (customer.user_id, OrderStatus.PLACED, Decimal("59.70"), "EUR", "")
    assert orders.get_lines([order.id]) == {order.id: [OrderLine(product.id, "Oak Chair", Decimal("19.90"), "EUR", 3)]}
    assert refusal(orders.place_order, customer, [Line(product.id, 4)], "k1") == (
        "AlreadyExists", "ALREADY_EXISTS", "KEY_REUSED", {"key": "was used"}, "The key was used for another order."
    )  # fmt: skip
    assert stock.left(product) == 7


def test_an_order_that_is_rejected_or_waits(orders, stock, customer, catalog_fails):
    product = stock(1)
    rejected = orders.place_order(customer, [Line(product.id, 2)], "k1")
    catalog_fails("reserve", Unavailable("down"))
    pending = orders.place_order(customer, [Line(product.id, 1)], "k2")

    assert rejected == repository.get_order(rejected.id)
    assert rejected[2:6] == (OrderStatus.REJECTED, Decimal("0.00"), "", "There is not enough in stock.")
    assert pending == repository.get_order(pending.id)
    assert pending[2:6] == (OrderStatus.PENDING, Decimal("0.00"), "", "")
    assert orders.get_lines([pending.id]) == {pending.id: [OrderLine(product.id, "", Decimal("0.00"), "", 1)]}


def test_an_order_whose_price_has_changed_is_rejected_with_the_new_total(orders, stock, customer):
    product = stock(price="19.90")
    lines = [Line(product.id, 2)]

    refused = orders.place_order(customer, lines, "k1", expected_total=Decimal("39.00"), currency="EUR")
    foreign = orders.place_order(customer, lines, "k2", expected_total=Decimal("39.80"), currency="USD")
    placed = orders.place_order(customer, lines, "k3", expected_total=Decimal("39.8"), currency="EUR")

    for order in (refused, foreign):
        assert order[2:6] == (OrderStatus.REJECTED, Decimal("39.80"), "EUR", "The total is now 39.80 EUR.")
        assert orders.get_lines([order.id])[order.id][0].unit_price == Decimal("19.90")
    assert placed[2:6] == (OrderStatus.PLACED, Decimal("39.80"), "EUR", "")
    assert orders.place_order(customer, lines, "k1", expected_total=Decimal("39.00"), currency="EUR") == refused
    for expected in ({}, {"expected_total": Decimal("39.80"), "currency": "EUR"}):
        assert refusal(orders.place_order, customer, lines, "k1", **expected)[2] == "KEY_REUSED"
    assert stock.left(product) == 8


@pytest.mark.parametrize(
    ("amount", "currency", "fields"),
    [
        (Decimal(-1), "EUR", {"expected_total"}),
        (Decimal("0.001"), "EUR", {"expected_total"}),
        (Decimal("NaN"), "EUR", {"expected_total"}),
        (Decimal(1), "eur", {"currency"}),
        (Decimal(1), None, {"currency"}),
        (None, "EUR", {"expected_total"}),
    ],
)
def test_a_total_that_cannot_be_expected(orders, stock, customer, amount, currency, fields):
    product = stock()

    refused = refusal(
        orders.place_order, customer, [Line(product.id, 1)], "k1", expected_total=amount, currency=currency
    )

    assert (refused[1], refused[3].keys()) == ("INVALID_ARGUMENT", fields)
    assert (orders.count_orders(customer), stock.left(product)) == (0, 10)


@pytest.mark.parametrize(("orders_allowed", "pieces_allowed"), [(2, 100), (100, 6)])
def test_more_than_a_customer_may_have_on_order(
    orders, stock, customer, other, monkeypatch, orders_allowed, pieces_allowed
):
    monkeypatch.setattr(rules, "MAX_HELD_ORDERS", orders_allowed)
    monkeypatch.setattr(rules, "MAX_HELD_PIECES", pieces_allowed)
    product = stock(20)
    lines = [Line(product.id, 3)]
    first, second = (orders.place_order(customer, lines, key) for key in ("k1", "k2"))

    assert refusal(orders.place_order, customer, lines, "k3") == (
        "ResourceExhausted",
        "RESOURCE_EXHAUSTED",
        "TOO_MUCH_ON_ORDER",
        {},
        f"You can have {orders_allowed} orders and {pieces_allowed} pieces on order within a day.",
    )
    assert (orders.count_orders(customer), stock.left(product)) == (2, 14)
    assert orders.place_order(customer, lines, "k2") == second
    assert orders.place_order(other, lines, "k1").status is OrderStatus.PLACED
    orders.cancel_order(customer, first.id, "No.")
    assert orders.place_order(customer, lines, "k3").status is OrderStatus.PLACED


def test_an_order_that_makes_no_sense(orders, customer):
    assert refusal(orders.place_order, customer, [Line(1, 0), Line(1, 0)], "") == (
        "InvalidArgument",
        "INVALID_ARGUMENT",
        "INVALID_ARGUMENT",
        {
            "key": "must have 1 to 64 characters, none NUL",
            "lines": "must be 1 to 100, each product once",
            "quantity": "must be between 1 and 10000",
        },
        "This cannot be ordered.",
    )
    assert orders.count_orders(customer) == 0


def test_an_order_that_cannot_be_had(orders, stock, customer):
    dear, foreign = stock(10_000, price="9999999999.99"), stock(currency="USD")
    reasons = {
        (Line(5, 1), Line(7, 1)): "There is no product 5, 7.",
        tuple(Line(product_id, 1) for product_id in range(1, 12)): (
            "There is no product 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 (and others)."
        ),
        (Line(dear.id, 1), Line(foreign.id, 1)): "The products are sold in different currencies.",
        (Line(dear.id, 10_000),): "The total is too large.",
    }

    for lines, reason in reasons.items():
        order = orders.place_order(customer, lines, reason)
        assert order[2:6] == (OrderStatus.REJECTED, Decimal("0.00"), "", reason)
    assert stock.left(dear) == 10_000


def test_an_order_is_cancelled(orders, customer, order):
    cancelled = orders.cancel_order(customer, order.id, "Too late.")

    assert cancelled == repository.get_order(order.id) == orders.cancel_order(customer, order.id, "Again.")
    assert cancelled == order._replace(
        status=OrderStatus.CANCELLED, reason="Too late.", updated_at=cancelled.updated_at
    )


def test_an_order_that_cannot_be_cancelled(orders, customer, order):
    rejected = OrderFactory(customer_id=customer.user_id, status=OrderStatus.REJECTED)

    assert refusal(orders.cancel_order, customer, rejected.id, "No.") == (
        "FailedPrecondition",
        "FAILED_PRECONDITION",
        "ORDER_NOT_CANCELLABLE",
        {},
        "The order is rejected: it cannot be cancelled.",
    )
    assert refusal(orders.cancel_order, customer, order.id, " ") == (
        "InvalidArgument",
        "INVALID_ARGUMENT",
        "INVALID_ARGUMENT",
        {"reason": "must have 1 to 500 characters, none NUL"},
        "Say why.",
    )
    assert repository.get_order(order.id) == order


def test_an_order_of_somebody_else(orders, order, other, clerk):
    assert refusal(orders.get_order, other, order.id) == missing(order.id)
    assert refusal(orders.cancel_order, other, order.id, "No.") == missing(order.id)
    assert refusal(orders.get_order, clerk, 5) == missing(5)
    assert orders.get_order(clerk, order.id) == orders.get_order(SYSTEM, order.id) == order
    assert orders.cancel_order(SYSTEM, order.id, "Fraud.").status is OrderStatus.CANCELLED


@pytest.mark.parametrize(("actor", "refused"), [(NOBODY, LOG_IN), (VISITOR, LOG_IN), (SYSTEM, DENIED)])
def test_what_only_a_user_may_do(orders, order, actor, refused):
    assert refusal(orders.place_order, actor, [Line(1, 1)], "k1") == refused
    assert refusal(orders.list_orders, actor) == refused
    assert refusal(orders.count_orders, actor) == refused
    if actor != SYSTEM:
        for order_id in (order.id, 5):
            assert refusal(orders.get_order, actor, order_id) == refused
            assert refusal(orders.cancel_order, actor, order_id, "No.") == refused
    assert repository.get_order(order.id) == order


def test_own_orders_page_by_page(orders, customer, other):
    rows = OrderFactory.create_batch(5, customer_id=customer.user_id)
    found, after = [], ""
    while True:
        page = orders.list_orders(customer, first=2, after=after)
        found += page.items
        after = page.next_token
        if not after:
            break

    assert [order.id for order in found] == [row.id for row in rows[::-1]]
    assert found == repository.list_orders(customer.user_id).items == orders.list_orders(customer).items
    assert (orders.count_orders(customer), orders.count_orders(other)) == (5, 0)


def test_a_page_that_cannot_be_asked_for(orders, customer, other):
    OrderFactory.create_batch(2, customer_id=customer.user_id)
    token = orders.list_orders(customer, first=1).next_token
    foreign = (
        "InvalidArgument",
        "INVALID_ARGUMENT",
        "BAD_PAGE_TOKEN",
        {"after": "not a token of this list"},
        "The page token is not of this list: use one from the page before, with the same search and order.",
    )

    assert refusal(orders.list_orders, customer, after="x") == foreign
    assert refusal(orders.list_orders, other, after=token) == foreign
    for size in (0, -1, 501):
        assert refusal(orders.list_orders, customer, first=size)[3:] == (
            {"first": "must be between 1 and 500"},
            f"A page has 1 to 500 rows, not {size}.",
        )


@pytest.mark.parametrize("number", [0, 3, 501])
def test_lines_of_many_orders(orders, number):
    ids = add_orders(number)

    assert orders.get_lines([*ids, 7]) == repository.get_lines([*ids, 7])
    assert orders.get_lines(ids).keys() == set(ids)


def test_who_acts_in_which_request_and_how_long_it_may_take_arrive(orders, customer, monkeypatch):
    arrived = []
    row = OrderFactory(customer_id=customer.user_id)

    def list_orders(customer_id, *, first, after):
        arrived.append((context.actor(), context.request_id(), context.seconds_left()))
        return Page([repository.get_order(row.id)], "", orders_keyset(customer_id))

    monkeypatch.setattr(repository, "list_orders", list_orders)
    context.begin("test", request_id="request-7")
    with context.within(5):
        (order,) = orders.list_orders(customer).items

    ((actor, request_id, left),) = arrived
    assert order.id == row.id
    if orders.way != "direct":  # there the actor is an argument and nothing else
        assert actor == customer._replace(service=CALLER)
    assert request_id == "request-7"
    assert 3 < left <= 5
