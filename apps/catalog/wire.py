"""Products to and from the messages of `catalog.v1`: for both sides of the wire. No Django."""

from apps.catalog.entities import Product, ProductOrder
from apps.common.grpc import convert
from protos.catalog.v1 import catalog_pb2 as pb

ORDERS = {
    pb.PRODUCT_ORDER_NAME: ProductOrder.NAME,
    pb.PRODUCT_ORDER_NAME_DESC: ProductOrder.NAME_DESC,
    pb.PRODUCT_ORDER_PRICE: ProductOrder.PRICE,
    pb.PRODUCT_ORDER_PRICE_DESC: ProductOrder.PRICE_DESC,
    pb.PRODUCT_ORDER_CREATED: ProductOrder.CREATED,
    pb.PRODUCT_ORDER_CREATED_DESC: ProductOrder.CREATED_DESC,
}
ORDER_NUMBERS = {order: number for number, order in ORDERS.items()}


def to_message(product: Product) -> pb.Product:
    return pb.Product(
        id=product.id,
        sku=product.sku,
        name=product.name,
        description=product.description,
        price=convert.to_money(product.price, product.currency),
        stock=product.stock,
        is_active=product.is_active,
        version=product.version,
        created_at=convert.to_timestamp(product.created_at),
        updated_at=convert.to_timestamp(product.updated_at),
    )


def from_message(message: pb.Product) -> Product:
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
