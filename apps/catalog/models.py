import re

from django.core.validators import (
    MaxLengthValidator,
    MaxValueValidator,
    MinValueValidator,
    ProhibitNullCharactersValidator,
    RegexValidator,
)
from django.db import models
from django.utils import timezone

from apps.catalog.entities import ReservationStatus as Status

TEXT = [ProhibitNullCharactersValidator()]
NOT_NEGATIVE = [MinValueValidator(0)]
COUNT = [*NOT_NEGATIVE, MaxValueValidator(2**31 - 1)]  # what PostgreSQL, GraphQL and protobuf call an integer
TRIMMED = [RegexValidator(r"\A\S(.*\S)?\Z", "Must not begin or end with a space.", flags=re.DOTALL)]
CURRENCY = [RegexValidator(r"\A[A-Z]{3}\Z", "Three capital letters, as in ISO 4217.")]


class Product(models.Model):
    sku = models.CharField("SKU", max_length=64, unique=True, validators=[*TEXT, *TRIMMED])
    name = models.CharField(max_length=200, validators=TEXT)
    # A TextField's own max_length binds forms only.
    description = models.TextField(blank=True, max_length=10_000, validators=[*TEXT, MaxLengthValidator(10_000)])
    price = models.DecimalField(max_digits=12, decimal_places=2, validators=NOT_NEGATIVE)
    currency = models.CharField(max_length=3, default="EUR", validators=CURRENCY)
    stock = models.IntegerField(default=0, validators=COUNT)
    is_active = models.BooleanField("active", default=True, help_text="Archived products are not sold.")
    version = models.IntegerField(default=1)  # editable, so that the admin's form can carry what it read
    edited_version = models.IntegerField(
        default=1, db_default=1, editable=False, help_text="The version that the last edit made; sales make others."
    )
    created_at = models.DateTimeField(editable=False)
    updated_at = models.DateTimeField(editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(stock__gte=0), name="catalog_product_stock_not_negative"),
            models.CheckConstraint(condition=models.Q(price__gte=0), name="catalog_product_price_not_negative"),
        ]
        # Each order a list can have, with the id as tie-breaker, among what is sold. None knows the stock: a sale
        # would have to write all of them.
        indexes = [
            models.Index(fields=["is_active", "name", "id"], name="catalog_product_by_name"),
            models.Index(fields=["is_active", "price", "id"], name="catalog_product_by_price"),
            models.Index(fields=["is_active", "created_at", "id"], name="catalog_product_by_created"),
        ]

    def __str__(self) -> str:
        return self.name

    def is_stale(self, version: int, *, stock: bool) -> bool:
        """Whether an edit that was begun at this version would overwrite what its author has not seen.

        A sale changes the stock alone, so it is in the way of an edit of the stock and of no other.
        """
        oldest = self.version if stock else self.edited_version
        return not oldest <= version <= self.version


class Reservation(models.Model):
    """Stock taken off the shelf for somebody who may or may not buy it, under a key of their choice."""

    key = models.CharField(max_length=64, unique=True)
    status = models.CharField(max_length=10, choices=[(status.value, status.name.title()) for status in Status])
    expires_at = models.DateTimeField()
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [
            models.Index(
                fields=["expires_at"],
                name="catalog_reservation_to_expire",
                condition=models.Q(status=Status.HELD.value),
            ),
            models.Index(
                fields=["created_at"],
                name="catalog_reservation_ended",
                condition=~models.Q(status=Status.HELD.value),
            ),
        ]

    def __str__(self) -> str:
        return self.key


class ReservationLine(models.Model):
    reservation = models.ForeignKey(Reservation, models.CASCADE, related_name="lines")
    product = models.ForeignKey(Product, models.PROTECT)
    quantity = models.IntegerField(validators=[MinValueValidator(1)])

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["reservation", "product"], name="catalog_reservationline_once"),
            models.CheckConstraint(condition=models.Q(quantity__gte=1), name="catalog_reservationline_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} of {self.product}"
