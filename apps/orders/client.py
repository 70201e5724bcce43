"""The functions of orders where they run in another service: the same names, arguments, results and errors.

What the actor may not do is refused here already, in the words of the service: NOBODY cannot be told from a caller that
names no one, for whom the client package calls as itself.
"""

from collections.abc import Sequence

from apps.orders import wire
from apps.orders.entities import Line, Order, OrderLine
from framework import context
from framework.actor import SYSTEM, Actor, authenticated, require, staff
from framework.grpc.validate import renamed
from framework.pages import Page, check_size
from framework.seam import remote
from protos.orders.v1 import orders_pb2 as pb
from protos.orders.v1.orders_pb2_grpc import OrderServiceStub

BATCH = 500  # ids a call takes


def _service() -> OrderServiceStub:
    service: OrderServiceStub = remote.stub("orders", pb.DESCRIPTOR, OrderServiceStub)
    return service


def place_order(actor: Actor, lines: Sequence[Line], key: str) -> Order:
    remote.refuse_inside_transaction()
    require(actor, authenticated)
    wanted = [pb.Line(product_id=line.product_id, quantity=line.quantity) for line in lines]
    with context.acting_as(actor):
        return wire.order_entity(_service().PlaceOrder(pb.PlaceOrderRequest(key=key, lines=wanted)).order)


def cancel_order(actor: Actor, order_id: int, reason: str) -> Order:
    remote.refuse_inside_transaction()
    _require_somebody(actor)
    with context.acting_as(actor):
        return wire.order_entity(_service().CancelOrder(pb.CancelOrderRequest(id=order_id, reason=reason)).order)


def get_order(actor: Actor, order_id: int) -> Order:
    _require_somebody(actor)
    with context.acting_as(actor):
        return wire.order_entity(_service().GetOrder(pb.GetOrderRequest(id=order_id)).order)


def list_orders(actor: Actor, *, first: int = 20, after: str = "") -> Page[Order]:
    require(actor, authenticated)
    check_size(first)  # on the wire, 0 stands for the default
    request = pb.ListOrdersRequest(page_size=first, page_token=after)
    with context.acting_as(actor), renamed({"page_token": "after"}):
        response = _service().ListOrders(request)
    return Page(list(map(wire.order_entity, response.orders)), response.next_page_token)


def count_orders(actor: Actor) -> int:
    require(actor, authenticated)
    with context.acting_as(actor):
        return _service().ListOrders(pb.ListOrdersRequest(page_size=1, with_total=True)).total


def get_lines(order_ids: Sequence[int]) -> dict[int, list[OrderLine]]:
    found: dict[int, list[OrderLine]] = {}
    for start in range(0, len(order_ids), BATCH):
        with context.acting_as(SYSTEM):
            response = _service().BatchGetLines(pb.BatchGetLinesRequest(order_ids=order_ids[start : start + BATCH]))
        found |= {order.order_id: list(map(wire.line_entity, order.lines)) for order in response.orders}
    return found


def _require_somebody(actor: Actor) -> None:
    if not staff(actor):
        require(actor, authenticated)
