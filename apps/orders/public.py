"""Orders as everyone else sees them: these functions, whether they run here or elsewhere."""

from apps.orders.entities import Line, Order, OrderLine, OrderStatus
from framework.seam.remote import is_remote, outside_transaction

if is_remote("orders"):
    from apps.orders.client import (
        cancel_order,
        count_orders,
        erase_user,
        export_user,
        get_lines,
        get_order,
        list_orders,
        place_order,
    )
else:
    from apps.orders import services
    from apps.orders.repository import get_lines
    from apps.orders.services import count_orders, export_user, get_order, list_orders

    cancel_order = outside_transaction(services.cancel_order)
    erase_user = outside_transaction(services.erase_user)
    place_order = outside_transaction(services.place_order)

__all__ = [
    "Line",
    "Order",
    "OrderLine",
    "OrderStatus",
    "cancel_order",
    "count_orders",
    "erase_user",
    "export_user",
    "get_lines",
    "get_order",
    "list_orders",
    "place_order",
]
