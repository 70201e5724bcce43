"""Values for requests of the access matrix: project/tests/test_access.py. And lists to fill: test_schema.py."""

from decimal import Decimal
from uuid import uuid4

from apps.catalog import public as catalog
from apps.orders.tests.factories import OrderFactory
from framework.actor import SYSTEM


def arguments(owner):
    order = OrderFactory(customer_id=owner.id)
    product = catalog.create_product(SYSTEM, catalog.ProductDraft(uuid4().hex, "Oak Chair", Decimal(1), stock=10))
    return {
        "id": str(order.id),
        "order_id": order.id,
        "order_ids": [order.id],
        "reason": "Too late.",
        "key": "matrix",
        "placeOrder.lines": [{"productId": str(product.id), "quantity": 1}],
        "PlaceOrder.lines": [{"product_id": product.id, "quantity": 1}],
    }


LISTS = {"myOrders": lambda user, number: OrderFactory.create_batch(number, customer_id=user.id)}
UNPAGED = {"Order.lines"}  # 100 at most
