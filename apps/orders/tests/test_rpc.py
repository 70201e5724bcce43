from decimal import Decimal

import grpc
import pytest
from google.type.money_pb2 import Money

from apps.orders import models, repository, rpc, services
from apps.orders.entities import Line, Order, OrderLine, OrderStatus
from apps.orders.tests.factories import OrderFactory
from framework.actor import Actor
from framework.audit import trail
from framework.grpc import assertion
from framework.grpc.auth import Authenticator
from framework.grpc.errors import from_call
from framework.grpc.interceptors import Chain
from framework.grpc.tokens import parse_tokens
from framework.seam.codec import codec
from framework.testing.grpc import connected
from protos.orders.v1 import orders_pb2 as pb
from protos.orders.v1 import orders_pb2_grpc

pytestmark = pytest.mark.django_db

SERVICE = pb.DESCRIPTOR.services_by_name["OrderService"]
TOKEN = "shop-token-0123456789"
AS_SHOP = (("authorization", f"Bearer {TOKEN}"),)
ORDER, LINE = codec(Order, pb.Order), codec(OrderLine, pb.OrderLine)
ITSELF = None  # the shop, on nobody's behalf
NOT_FOUND = ("NOT_FOUND", "ORDER_NOT_FOUND", {})
DENIED = ("PERMISSION_DENIED", "PERMISSION_DENIED", {})
LOG_IN = ("UNAUTHENTICATED", "UNAUTHENTICATED", {})


class Client:
    """Calls a method by its name, as the shop, on somebody's behalf."""

    def __init__(self, channel):
        self.stub = orders_pb2_grpc.OrderServiceStub(channel)

    def __call__(self, method, actor=ITSELF, metadata=AS_SHOP, **fields):
        request = getattr(pb, SERVICE.methods_by_name[method].input_type.name)(**fields)
        if actor:
            signed = assertion.sign(actor, f"/{SERVICE.full_name}/{method}", assertion.key_of(TOKEN))
            metadata = (*AS_SHOP, (assertion.METADATA_KEY, signed))
        return getattr(self.stub, method)(request, metadata=metadata)

    def refusal(self, method, actor=ITSELF, metadata=AS_SHOP, **fields):
        with pytest.raises(grpc.RpcError) as failed:
            self(method, actor, metadata, **fields)
        error = from_call(failed.value, "orders")
        return (error.code, error.reason, error.fields) if error else (failed.value.code().name,)


@pytest.fixture
def call():
    chain = Chain(Authenticator(parse_tokens(f"shop:{TOKEN}:*+assert.staff+assert.unchecked")), default_deadline=30)
    with connected(rpc.register, chain) as channel:
        yield Client(channel)


@pytest.fixture
def order(stock, customer):
    return services.place_order(customer, [Line(stock().id, 3)], "order")


@pytest.mark.parametrize("method", SERVICE.methods_by_name)
def test_every_method_needs_a_token(call, method):
    wrong = (("authorization", "Bearer wrong-token-0123456789"),)

    assert call.refusal(method, metadata=())[0] == "UNAUTHENTICATED"
    assert call.refusal(method, metadata=wrong)[0] == "UNAUTHENTICATED"


def test_an_order_is_placed_for_a_user(call, stock, customer):
    product = stock()

    order = call("PlaceOrder", customer, key="k1", lines=[pb.Line(product_id=product.id, quantity=3)]).order

    assert ORDER.entity(order) == repository.get_order(order.id)
    assert (order.customer_id, order.status) == (customer.user_id, pb.ORDER_STATUS_PLACED)
    assert order.total == Money(currency_code="EUR", units=59, nanos=700_000_000)
    assert trail.entries(trail.of("orders.order", order.id))[0].actor == f"user:{customer.user_id}"
    assert stock.left(product) == 7


def test_the_same_key_over_grpc_and_directly_is_one_order(call, stock, customer):
    product = stock()
    lines = [pb.Line(product_id=product.id, quantity=1)]

    first, second = (call("PlaceOrder", customer, key="k1", lines=lines).order for _ in range(2))
    third = services.place_order(customer, [Line(product.id, 1)], "k1")
    lines[0].quantity = 2
    reused = call.refusal("PlaceOrder", customer, key="k1", lines=lines)

    assert first == second == ORDER.message(third)
    assert reused == ("ALREADY_EXISTS", "KEY_REUSED", {"key": "was used"})
    assert stock.left(product) == 9


def test_a_pending_order_has_no_total_and_no_prices(call, customer):
    order = OrderFactory(
        customer_id=customer.user_id,
        status=OrderStatus.PENDING,
        total=0,
        currency="",
        line__name="",
        line__unit_price=0,
    )

    message = call("GetOrder", customer, order_id=order.id).order
    (lines,) = call("BatchGetLines", order_ids=[order.id]).orders

    assert not message.HasField("total")
    assert not lines.lines[0].HasField("unit_price")
    assert ORDER.entity(message) == repository.get_order(order.id)
    assert ORDER.entity(message).total == Decimal("0.00")


@pytest.mark.parametrize("who", ["other", "clerk", "visitor", "itself"])
def test_an_order_over_grpc_is_its_customers_and_staffs(call, order, customer, request, who):
    actors = {"visitor": Actor(for_visitor=True), "itself": ITSELF}
    actor = actors[who] if who in actors else request.getfixturevalue(who)
    refused = {"other": NOT_FOUND, "visitor": LOG_IN}.get(who)

    assert call("GetOrder", customer, order_id=order.id).order == ORDER.message(order)
    assert call.refusal("GetOrder", customer, order_id=5) == NOT_FOUND
    assert call.refusal("CancelOrder", customer, order_id=5, reason="No.") == NOT_FOUND
    if refused:
        assert call.refusal("GetOrder", actor, order_id=order.id) == refused
        assert call.refusal("CancelOrder", actor, order_id=order.id, reason="No.") == refused
        assert repository.get_order(order.id) == order
    else:
        assert call("GetOrder", actor, order_id=order.id).order == ORDER.message(order)
        cancelled = call("CancelOrder", actor, order_id=order.id, reason="No.").order
        assert cancelled == ORDER.message(repository.get_order(order.id))
        assert cancelled.status == pb.ORDER_STATUS_CANCELLED


@pytest.mark.parametrize(("actor", "refused"), [(ITSELF, DENIED), (Actor(for_visitor=True), LOG_IN)])
def test_who_is_no_user_places_and_lists_nothing(call, stock, actor, refused):
    lines = [pb.Line(product_id=stock().id, quantity=1)]

    assert call.refusal("PlaceOrder", actor, key="k1", lines=lines) == refused
    assert call.refusal("ListOrders", actor) == refused
    assert not models.Order.objects.exists()


@pytest.mark.parametrize("size", [2, 50])
def test_own_orders_are_listed_in_one_query(call, customer, other, django_assert_num_queries, size):
    orders = OrderFactory.create_batch(51, customer_id=customer.user_id)

    with django_assert_num_queries(1):
        page = call("ListOrders", customer, page_size=size)

    assert [order.id for order in page.orders] == [order.id for order in orders[::-1][:size]]
    assert call("CountOrders", customer).total == 51
    assert len(call("ListOrders", customer).orders) == 20
    assert list(call("ListOrders", other).orders) == []


def test_lines_of_many_orders_in_one_query(call, django_assert_num_queries):
    ids = [OrderFactory().id for _ in range(3)]

    with django_assert_num_queries(1):
        answer = call("BatchGetLines", order_ids=[*ids, 5])

    found = {order.order_id: list(map(LINE.entity, order.lines)) for order in answer.orders}
    assert found == repository.get_lines([*ids, 5])


def test_lines_are_for_services_on_their_own_behalf_and_staff(call, order, customer, clerk):
    for actor in (ITSELF, clerk):
        (lines,) = call("BatchGetLines", actor, order_ids=[order.id]).orders
        assert lines.order_id == order.id

    assert call.refusal("BatchGetLines", customer, order_ids=[order.id]) == DENIED
    assert call.refusal("BatchGetLines", Actor(for_visitor=True), order_ids=[order.id]) == LOG_IN


@pytest.mark.parametrize(
    ("method", "given", "fields"),
    [
        ("ListOrders", {"page_size": -1}, {"page_size": "must be between 1 and 500"}),
        ("ListOrders", {"page_size": 501}, {"page_size": "must be between 1 and 500"}),
        ("ListOrders", {"page_token": "x"}, {"page_token": "not a token of this list"}),
        ("BatchGetLines", {"order_ids": range(501)}, {"order_ids": "must have 0 to 500 elements, not 501"}),
        ("PlaceOrder", {"key": "k"}, {"lines": "must be 1 to 100, each product once"}),
    ],
)
def test_a_bad_request_is_refused_field_by_field(call, clerk, method, given, fields):
    assert call.refusal(method, clerk, **given)[2] == fields
    assert not models.Order.objects.exists()


def test_a_rejected_order_is_not_cancelled(call, customer):
    order = OrderFactory(customer_id=customer.user_id, status=OrderStatus.REJECTED)

    refused = call.refusal("CancelOrder", customer, order_id=order.id, reason="No.")

    assert refused == ("FAILED_PRECONDITION", "ORDER_NOT_CANCELLABLE", {})
