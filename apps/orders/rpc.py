"""The door of orders for services."""

from typing import Any

import grpc

from apps.orders import services
from apps.orders.entities import Line
from apps.orders.wire import line_message, order_message
from framework.actor import allow, authenticated, service
from framework.grpc.service import Service
from framework.grpc.validate import Violations, renamed
from framework.pages import MAX_PAGE_SIZE
from protos.orders.v1 import orders_pb2 as pb
from protos.orders.v1 import orders_pb2_grpc

MAX_IDS = 500
DEFAULT_PAGE_SIZE = 20


class OrderService(Service, orders_pb2_grpc.OrderServiceServicer):
    @allow(authenticated)
    def PlaceOrder(self, request: pb.PlaceOrderRequest, context: grpc.ServicerContext) -> pb.PlaceOrderResponse:
        lines = [Line(line.product_id, line.quantity) for line in request.lines]
        return pb.PlaceOrderResponse(order=order_message(services.place_order(self.actor, lines, request.key)))

    @allow(service)
    def GetOrder(self, request: pb.GetOrderRequest, context: grpc.ServicerContext) -> pb.GetOrderResponse:
        return pb.GetOrderResponse(order=order_message(services.get_order(self.actor, request.id)))

    @allow(authenticated)
    def ListOrders(self, request: pb.ListOrdersRequest, context: grpc.ServicerContext) -> pb.ListOrdersResponse:
        with Violations() as check:
            check.within("page_size", request.page_size, 0, MAX_PAGE_SIZE)
        with renamed({"after": "page_token"}):
            page = services.list_orders(
                self.actor, first=request.page_size or DEFAULT_PAGE_SIZE, after=request.page_token
            )
        total = services.count_orders(self.actor) if request.with_total else 0
        return pb.ListOrdersResponse(
            orders=map(order_message, page.items), next_page_token=page.next_token, total=total
        )

    @allow(service)
    def BatchGetLines(
        self, request: pb.BatchGetLinesRequest, context: grpc.ServicerContext
    ) -> pb.BatchGetLinesResponse:
        with Violations() as check:
            check.length("order_ids", request.order_ids, most=MAX_IDS)
        found = services.get_lines(self.actor, request.order_ids)
        return pb.BatchGetLinesResponse(
            orders=[pb.OrderLines(order_id=key, lines=map(line_message, lines)) for key, lines in found.items()]
        )

    @allow(service)
    def CancelOrder(self, request: pb.CancelOrderRequest, context: grpc.ServicerContext) -> pb.CancelOrderResponse:
        order = services.cancel_order(self.actor, request.id, request.reason)
        return pb.CancelOrderResponse(order=order_message(order))


def register(server: Any) -> None:
    orders_pb2_grpc.add_OrderServiceServicer_to_server(OrderService.as_servicer(), server)
