"""The methods of orders for other services."""

from typing import Any

from apps.orders import repository, rules, services
from framework.actor import authenticated, for_itself, service
from framework.grpc.service import Service
from framework.seam.server import Server
from protos.orders.v1 import orders_pb2 as pb
from protos.orders.v1 import orders_pb2_grpc

_serve = Server(pb.DESCRIPTOR, "OrderService")


class OrderService(Service, orders_pb2_grpc.OrderServiceServicer):
    PlaceOrder = _serve("PlaceOrder", services.place_order, allow=authenticated)
    GetOrder = _serve("GetOrder", services.get_order, allow=service)
    ListOrders = _serve("ListOrders", services.list_orders, allow=authenticated)
    CountOrders = _serve("CountOrders", services.count_orders, allow=authenticated)
    BatchGetLines = _serve("BatchGetLines", repository.get_lines, allow=rules.VIEW)
    CancelOrder = _serve("CancelOrder", services.cancel_order, allow=service)
    EraseUser = _serve("EraseUser", services.erase_user, allow=rules.ERASE)
    ExportUser = _serve("ExportUser", services.export_user, allow=for_itself)


def register(server: Any) -> None:
    orders_pb2_grpc.add_OrderServiceServicer_to_server(OrderService.as_servicer(), server)
