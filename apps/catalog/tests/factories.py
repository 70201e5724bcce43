from datetime import UTC, datetime
from decimal import Decimal

import factory

from apps.catalog import models

CREATED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class ProductFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = models.Product
        skip_postgeneration_save = True

    sku = factory.Sequence(lambda number: f"SKU-{number:05}")
    name = factory.Sequence(lambda number: f"Product {number:05}")
    description = "Made of oak."
    price = Decimal("19.90")
    stock = 10
    created_at = CREATED
    updated_at = CREATED
