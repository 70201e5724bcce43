from django.core.validators import MinValueValidator
from django.db import models

from apps.orders.entities import OrderStatus

STATUSES = [(status.value, status.name.title()) for status in OrderStatus]


class Order(models.Model):
    customer_id = models.BigIntegerField(help_text="Of accounts; no foreign key, as it may live elsewhere.")
    status = models.CharField(max_length=10, choices=STATUSES)
    total = models.DecimalField(max_digits=14, decimal_places=2, default=0)
    currency = models.CharField(max_length=3, blank=True)
    reason = models.CharField(max_length=500, blank=True)
    expected_total = models.DecimalField(max_digits=14, decimal_places=2, null=True)  # as its customer saw it
    expected_currency = models.CharField(max_length=3, null=True)
    key = models.CharField(max_length=64, null=True, help_text="The customer's idempotency key; forgotten after a day.")
    fingerprint = models.CharField(max_length=64, help_text="Of what was asked for under the key.")
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["customer_id", "key"], name="orders_order_once_a_key"),
            models.CheckConstraint(condition=models.Q(total__gte=0), name="orders_order_total_not_negative"),
        ]
        indexes = [
            models.Index(fields=["customer_id", "-created_at", "-id"], name="orders_order_of_customer"),
            models.Index(fields=["-created_at", "-id"], name="orders_order_newest"),
            models.Index(fields=["created_at"], name="orders_order_keyed", condition=models.Q(key__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"Order {self.pk}"


class OrderLine(models.Model):
    order = models.ForeignKey(Order, models.CASCADE, related_name="lines")
    product_id = models.BigIntegerField(help_text="Of the catalog; no foreign key, as it may live elsewhere.")
    name = models.CharField(max_length=200, blank=True)
    unit_price = models.DecimalField(max_digits=12, decimal_places=2, default=0)
    quantity = models.IntegerField(validators=[MinValueValidator(1)])

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["order", "product_id"], name="orders_orderline_once"),
            models.CheckConstraint(condition=models.Q(quantity__gte=1), name="orders_orderline_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} x {self.name or self.product_id}"
