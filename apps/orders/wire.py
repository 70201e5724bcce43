"""Orders to and from the messages of `orders.v1`: for both sides of the wire. No Django."""

from decimal import Decimal

from google.type.money_pb2 import Money

from apps.orders.entities import Order, OrderLine, OrderStatus
from framework.grpc import convert
from protos.orders.v1 import orders_pb2 as pb

STATUSES = {
    pb.ORDER_STATUS_PENDING: OrderStatus.PENDING,
    pb.ORDER_STATUS_PLACED: OrderStatus.PLACED,
    pb.ORDER_STATUS_REJECTED: OrderStatus.REJECTED,
    pb.ORDER_STATUS_CANCELLED: OrderStatus.CANCELLED,
}
STATUS_NUMBERS = {status: number for number, status in STATUSES.items()}


def order_message(order: Order) -> pb.Order:
    return pb.Order(
        id=order.id,
        customer_id=order.customer_id,
        status=STATUS_NUMBERS[OrderStatus(order.status)],
        total=_money(order.total, order.currency),
        reason=order.reason,
        created_at=convert.to_timestamp(order.created_at),
        updated_at=convert.to_timestamp(order.updated_at),
    )


def order_entity(message: pb.Order) -> Order:
    total, currency = _amount(message.total)
    return Order(
        message.id,
        message.customer_id,
        STATUSES[message.status],
        total,
        currency,
        message.reason,
        convert.from_timestamp(message.created_at),
        convert.from_timestamp(message.updated_at),
    )


def line_message(line: OrderLine) -> pb.OrderLine:
    return pb.OrderLine(
        product_id=line.product_id,
        name=line.name,
        unit_price=_money(line.unit_price, line.currency),
        quantity=line.quantity,
    )


def line_entity(message: pb.OrderLine) -> OrderLine:
    price, currency = _amount(message.unit_price)
    return OrderLine(message.product_id, message.name, price, currency, message.quantity)


def _money(amount: Decimal, currency: str) -> Money | None:
    return convert.to_money(amount, currency) if currency else None


def _amount(money: Money) -> tuple[Decimal, str]:
    return convert.from_money(money) if money.currency_code else (Decimal("0.00"), "")
