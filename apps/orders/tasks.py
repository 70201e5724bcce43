"""What happens to orders later."""

from decimal import Decimal

from celery import shared_task
from celery.schedules import crontab
from django.conf import settings
from django.utils import timezone

from apps.accounts import public as accounts
from apps.orders import repository, services
from apps.orders.entities import Order, OrderLine, OrderStatus
from framework import mail
from framework.data.batches import thin


@shared_task(name="orders.complete_order", max_retries=None, retry_backoff_max=60)
def complete_order(order_id: int) -> None:
    """Place or reject an order that was left pending; tried until the catalog answers."""
    services.complete_order(order_id)


def completion_id(order_id: int) -> str:
    """The id of the task `complete_order` that looks after an order while it is pending."""
    return f"complete-order-{order_id}"


@shared_task(name="orders.release_stock", max_retries=None, retry_backoff_max=60)
def release_stock(order_id: int) -> None:
    """Give back what a cancelled order took; tried until the catalog answers."""
    services.release_stock(order_id)


@shared_task(name="orders.send_confirmation")
def send_confirmation(order_id: int) -> None:
    """Mail the customer what was bought. May come twice, should the worker die right after sending."""
    order = repository.get_order(order_id)
    if order.status is OrderStatus.PLACED:
        lines = repository.get_lines([order_id])[order_id]
        for customer in accounts.get_users([order.customer_id]).values():  # none, once the account is erased
            mail.send("orders", _subject(order_id), _text(order, lines), customer.email)


@shared_task(name="orders.forget_keys")
def forget_keys() -> None:
    """Idempotency keys are good for a day."""
    thin(repository.forget_keys)


def _subject(order_id: int) -> str:
    return f"{settings.EMAIL_SUBJECT_PREFIX}Your order {order_id}"


def _text(order: Order, lines: list[OrderLine]) -> str:
    bought = "\n".join(f"{line.quantity:>5} x {line.name}  {line.unit_price} {order.currency}" for line in lines)
    return f"{bought}\n\nTotal: {order.total} {order.currency}\n"


def _sample() -> tuple[str, str]:
    now, price = timezone.now(), Decimal("19.90")
    order = Order(123, 1, OrderStatus.PLACED, price, "EUR", "", now, now)
    return _subject(123), _text(order, [OrderLine(1, "Oak Chair", price, "EUR", 1)])


PREVIEWS = {"order_confirmation": _sample}
SCHEDULE = {"forget-order-keys": {"task": "orders.forget_keys", "schedule": crontab(minute="15")}}
