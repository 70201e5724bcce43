from contextlib import contextmanager

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.accounts import models as accounts
from apps.orders import models, repository, services
from apps.orders.entities import Line, OrderStatus
from apps.orders.tests.factories import OrderFactory
from framework.errors import Unavailable

pytestmark = pytest.mark.django_db

ORDER = """{ id status total currency reason createdAt updatedAt
             lines { productId name unitPrice quantity product { id name price stock } } }"""
PLACE = f"""mutation ($key: String!, $lines: [OrderLineInput!]!) {{
    placeOrder(key: $key, lines: $lines) {{ order {ORDER} }}
}}"""
CANCEL = f"mutation ($id: ID!, $reason: String!) {{ cancelOrder(id: $id, reason: $reason) {{ order {ORDER} }} }}"
GET = f"query ($id: ID!) {{ order(id: $id) {ORDER} }}"
MINE = f"""query ($first: Int, $after: String) {{
    myOrders(first: $first, after: $after) {{
        edges {{ cursor node {ORDER} }} pageInfo {{ hasNextPage endCursor }} totalCount
    }}
}}"""


def app(graphql, actor):
    return graphql().login(accounts.User.objects.get(pk=actor.user_id))


@contextmanager
def tables_read():
    """One name a query, without those of a catalog that is here too."""
    found = []
    with CaptureQueriesContext(connection) as captured:
        yield found
    tables = [query["sql"].partition('FROM "')[2].partition('"')[0] for query in captured]
    found += sorted(table for table in tables if not table.startswith("catalog_"))


def test_an_order_is_placed_read_and_cancelled(graphql, stock, customer):
    product = stock()
    spa = app(graphql, customer)

    order = spa.data(PLACE, key="k1", lines=[{"productId": str(product.id), "quantity": 3}])["placeOrder"]["order"]

    assert order == {
        "id": order["id"],
        "status": "PLACED",
        "total": "59.70",
        "currency": "EUR",
        "reason": "",
        "createdAt": order["createdAt"],
        "updatedAt": order["updatedAt"],
        "lines": [
            {
                "productId": str(product.id),
                "name": "Oak Chair",
                "unitPrice": "19.90",
                "quantity": 3,
                "product": {"id": str(product.id), "name": "Oak Chair", "price": "19.90", "stock": 7},
            }
        ],
    }
    assert spa.data(GET, id=order["id"])["order"] == order
    assert [edge["node"] for edge in spa.data(MINE)["myOrders"]["edges"]] == [order]
    cancelled = spa.data(CANCEL, id=order["id"], reason="Too late.")["cancelOrder"]["order"]
    assert cancelled == order | {"status": "CANCELLED", "reason": "Too late.", "updatedAt": cancelled["updatedAt"]}


def test_the_same_key_over_graphql(graphql, stock, customer):
    product, spa = stock(), app(graphql, customer)
    lines = [{"productId": str(product.id), "quantity": 1}]

    first, second = (spa.data(PLACE, key="k1", lines=lines)["placeOrder"]["order"] for _ in range(2))
    reused = spa.error(PLACE, key="k1", lines=[{"productId": str(product.id), "quantity": 2}])

    assert first == second
    assert (reused["code"], reused["fields"]) == ("CONFLICT", {"key": "was used"})
    assert models.Order.objects.count() == 1
    assert stock.left(product) == 9


def test_a_catalog_that_is_down_leaves_an_order_pending_and_its_products_unknown(
    graphql, stock, customer, catalog_fails
):
    product, spa = stock(), app(graphql, customer)
    catalog_fails("get_products", Unavailable("catalog does not answer now."))

    answer = spa(PLACE, key="k1", lines=[{"productId": str(product.id), "quantity": 1}])

    order = answer["data"]["placeOrder"]["order"]
    assert (order["status"], order["total"], order["currency"]) == ("PENDING", "0.00", "")
    assert order["lines"] == [
        {"productId": str(product.id), "name": "", "unitPrice": "0.00", "quantity": 1, "product": None}
    ]
    assert [(error["path"][-1], error["extensions"]["code"]) for error in answer["errors"]] == [
        ("product", "UNAVAILABLE")
    ]


def test_a_product_that_the_catalog_has_no_more_is_null(graphql, customer):
    services.place_order(customer, [Line(5, 1)], "k1")

    (edge,) = app(graphql, customer).data(MINE)["myOrders"]["edges"]

    assert (edge["node"]["status"], edge["node"]["reason"]) == ("REJECTED", "There is no product 5.")
    assert [line["product"] for line in edge["node"]["lines"]] == [None]


@pytest.mark.parametrize("who", ["other", "clerk", None])
def test_an_order_over_graphql_is_its_customers_and_staffs(graphql, stock, customer, request, who):
    order = services.place_order(customer, [Line(stock().id, 1)], "k1")
    spa = app(graphql, request.getfixturevalue(who)) if who else graphql()

    for order_id in (order.id, 5):
        answers = [
            spa(GET, id=str(order_id)),
            spa(CANCEL, id=str(order_id), reason="" if who == "clerk" else "No."),
        ]
        codes = [error["extensions"]["code"] for answer in answers for error in answer.get("errors", [])]
        expected = {
            ("clerk", True): ["BAD_USER_INPUT"],
            (None, True): ["UNAUTHENTICATED"] * 2,
            (None, False): ["UNAUTHENTICATED"] * 2,
        }
        assert codes == expected.get((who, order_id == order.id), ["NOT_FOUND"] * 2)
    assert repository.get_order(order.id) == order
    if who:
        assert spa.data(MINE)["myOrders"]["totalCount"] == 0


def test_pages_of_own_orders_follow_each_other(graphql, stock, customer):
    product, spa = stock(), app(graphql, customer)
    ids = [str(services.place_order(customer, [Line(product.id, 1)], f"k{n}").id) for n in range(5)]
    found, after = [], ""
    while True:
        page = spa.data(MINE, first=2, after=after)["myOrders"]
        found += [edge["node"]["id"] for edge in page["edges"]]
        assert page["totalCount"] == 5
        assert page["edges"][-1]["cursor"] == page["pageInfo"]["endCursor"]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break

    assert found == ids[::-1]


@pytest.mark.parametrize("first", [2, 50])
def test_a_list_costs_one_query_and_one_call_a_level(graphql, stock, customer, calls, first):
    ids = [stock().id for _ in range(3)]
    rows = models.Order.objects.bulk_create(OrderFactory.build_batch(52, customer_id=customer.user_id, line=None))
    models.OrderLine.objects.bulk_create(
        models.OrderLine(order=row, product_id=product_id, quantity=1) for row in rows for product_id in ids
    )
    spa = app(graphql, customer)

    with tables_read() as found:
        edges = spa.data(MINE, first=first)["myOrders"]["edges"]

    assert len(edges) == first
    assert all(line["product"] for edge in edges for line in edge["node"]["lines"])
    assert found == ["accounts_user", "orders_order", "orders_order", "orders_orderline"]
    assert calls == ["get_products"]


@pytest.mark.parametrize(
    ("variables", "fields"),
    [
        ({"key": "", "lines": [{"productId": "1", "quantity": 1}]}, {"key": "must have 1 to 64 characters, none NUL"}),
        ({"key": "k", "lines": []}, {"lines": "must be 1 to 100, each product once"}),
        ({"key": "k", "lines": [{"productId": "x", "quantity": 1}]}, {"productId": "not an id"}),
        ({"key": "k", "lines": [{"productId": "1", "quantity": 0}]}, {"quantity": "must be between 1 and 10000"}),
    ],
)
def test_a_bad_order_is_refused_field_by_field(graphql, customer, variables, fields):
    error = app(graphql, customer).error(PLACE, **variables)

    assert (error["code"], error["fields"]) == ("BAD_USER_INPUT", fields)
    assert not models.Order.objects.exists()


def test_staff_cancels_anybodys_order(graphql, stock, customer, clerk):
    order = services.place_order(customer, [Line(stock().id, 1)], "k1")

    app(graphql, clerk).data(CANCEL, id=str(order.id), reason="Fraud.")

    assert repository.get_order(order.id).status is OrderStatus.CANCELLED
