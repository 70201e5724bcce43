"""What the catalog does by the clock."""

from datetime import timedelta
from functools import partial

from celery import shared_task
from celery.schedules import crontab
from django.conf import settings
from django.core.mail import send_mail
from django.utils import timezone

from apps.accounts import public as accounts
from apps.catalog import repository, services
from apps.catalog.entities import Product
from framework.data.batches import thin

LOW = 5  # in stock; fewer are reported
KEPT = timedelta(days=365)  # a reservation; after that its key is free, and releasing it gives nothing back


@shared_task(name="catalog.report_low_stock")
def report_low_stock() -> None:
    """Mail the staff what is about to run out; no mail when nothing is."""
    products = repository.low_stock(LOW)
    recipients = accounts.staff_emails()
    if products and recipients:
        subject = f"{settings.EMAIL_SUBJECT_PREFIX}{len(products)} product(s) low in stock"
        send_mail(subject, "\n".join(map(_line, products)), None, recipients)


@shared_task(name="catalog.expire_reservations")
def expire_reservations() -> None:
    """Put back on the shelf what is held by nobody any more, each reservation in a transaction of its own."""
    for key in repository.expired_keys(1000):
        services.expire(key)


@shared_task(name="catalog.thin_reservations")
def thin_reservations() -> None:
    """Delete reservations that ended long ago."""
    thin(partial(repository.thin_reservations, timezone.now() - KEPT))


def _line(product: Product) -> str:
    return f"{product.stock:>5}  {product.sku}  {product.name}"


SCHEDULE = {
    "low-stock-report": {"task": "catalog.report_low_stock", "schedule": crontab(hour="6", minute="0")},
    "thin-reservations": {"task": "catalog.thin_reservations", "schedule": crontab(minute="20")},
    "expire-reservations": {"task": "catalog.expire_reservations", "schedule": crontab()},
}
