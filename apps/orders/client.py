"""The functions of orders where they run in another service: the same names, arguments, results and errors."""

from collections.abc import Sequence
from decimal import Decimal

from apps.orders.entities import Line, Order, OrderLine, orders_keyset
from framework.actor import Actor
from framework.pages import Page
from framework.seam.client import Client
from protos.orders.v1 import orders_pb2 as pb
from protos.orders.v1.orders_pb2_grpc import OrderServiceStub

_remote = Client("orders", pb.DESCRIPTOR, OrderServiceStub)


@_remote("PlaceOrder")
def place_order(
    actor: Actor,
    lines: Sequence[Line],
    key: str,
    *,
    expected_total: Decimal | None = None,
    currency: str | None = None,
) -> Order: ...


@_remote("CancelOrder")
def cancel_order(actor: Actor, order_id: int, reason: str) -> Order: ...


@_remote("GetOrder")
def get_order(actor: Actor, order_id: int) -> Order: ...


@_remote("ListOrders", keyset=lambda actor: orders_keyset(actor.user_id))
def list_orders(actor: Actor, *, first: int = 20, after: str = "") -> Page[Order]: ...


@_remote("CountOrders")
def count_orders(actor: Actor) -> int: ...


@_remote("BatchGetLines", as_service=True)
def get_lines(order_ids: Sequence[int]) -> dict[int, list[OrderLine]]: ...


@_remote("EraseUser", as_service=True)
def erase_user(user_id: int) -> None: ...


@_remote("ExportUser", as_service=True)
def export_user(user_id: int) -> str: ...
