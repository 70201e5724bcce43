"""Products to and from the messages of `catalog.v1`: for both sides of the wire. No Django."""

from collections.abc import Iterable
from typing import Any

from apps.catalog.entities import Line, Product, ProductOrder, Reservation, ReservationStatus
from framework.grpc import convert
from protos.catalog.v1 import catalog_pb2 as pb

ORDERS = {
    pb.PRODUCT_ORDER_NAME: ProductOrder.NAME,
    pb.PRODUCT_ORDER_NAME_DESC: ProductOrder.NAME_DESC,
    pb.PRODUCT_ORDER_PRICE: ProductOrder.PRICE,
    pb.PRODUCT_ORDER_PRICE_DESC: ProductOrder.PRICE_DESC,
    pb.PRODUCT_ORDER_CREATED: ProductOrder.CREATED,
    pb.PRODUCT_ORDER_CREATED_DESC: ProductOrder.CREATED_DESC,
}
STATUSES = {
    pb.RESERVATION_STATUS_HELD: ReservationStatus.HELD,
    pb.RESERVATION_STATUS_COMMITTED: ReservationStatus.COMMITTED,
    pb.RESERVATION_STATUS_RELEASED: ReservationStatus.RELEASED,
    pb.RESERVATION_STATUS_EXPIRED: ReservationStatus.EXPIRED,
}
STATUS_NUMBERS = {status: number for number, status in STATUSES.items()}
ORDER_NUMBERS = {order: number for number, order in ORDERS.items()}


def product_values(product: Product) -> Any:
    """What a pb.Product is made of. Lists of products are long, and protobuf would copy finished messages into them."""
    return {
        "id": product.id,
        "sku": product.sku,
        "name": product.name,
        "description": product.description,
        "price": convert.money_values(product.price, product.currency),
        "stock": product.stock,
        "is_active": product.is_active,
        "version": product.version,
        "created_at": convert.timestamp_values(product.created_at),
        "updated_at": convert.timestamp_values(product.updated_at),
    }


def product_entity(message: pb.Product) -> Product:
    price, currency = convert.from_money(message.price)
    return Product(
        message.id,
        message.sku,
        message.name,
        message.description,
        price,
        currency,
        message.stock,
        message.is_active,
        message.version,
        convert.from_timestamp(message.created_at),
        convert.from_timestamp(message.updated_at),
    )


def reservation_message(reservation: Reservation) -> pb.Reservation:
    return pb.Reservation(
        key=reservation.key,
        status=STATUS_NUMBERS[reservation.status],
        lines=[pb.Line(product_id=line.product_id, quantity=line.quantity) for line in reservation.lines],
        expires_at=convert.to_timestamp(reservation.expires_at),
    )


def reservation_entity(message: pb.Reservation) -> Reservation:
    return Reservation(
        message.key,
        STATUSES[message.status],
        lines_of(message.lines),
        convert.from_timestamp(message.expires_at),
    )


def lines_of(messages: Iterable[pb.Line]) -> tuple[Line, ...]:
    return tuple(Line(message.product_id, message.quantity) for message in messages)
