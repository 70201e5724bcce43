from datetime import timedelta
from decimal import Decimal

import factory
from django.utils import timezone

from apps.orders import models
from apps.orders.entities import OrderStatus


class LineFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = models.OrderLine
        skip_postgeneration_save = True

    product_id = factory.Sequence(lambda number: number + 1)
    name = "Oak Chair"
    unit_price = Decimal("19.90")
    quantity = 1


class OrderFactory(factory.django.DjangoModelFactory):
    """A placed order with one line."""

    class Meta:
        model = models.Order
        skip_postgeneration_save = True

    customer_id = 7
    status = OrderStatus.PLACED
    total = Decimal("19.90")
    currency = "EUR"
    fingerprint = "f"
    created_at = factory.Sequence(lambda number: timezone.now() + timedelta(milliseconds=number))
    updated_at = factory.SelfAttribute("created_at")
    line = factory.RelatedFactory(LineFactory, "order")
