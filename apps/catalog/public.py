"""The catalog as everyone else sees it."""

from apps.catalog.entities import (
    Product,
    ProductChanges,
    ProductDraft,
    ProductOrder,
    product_keyset,
)
from apps.catalog.repository import count_products, get_product, get_products, list_products
from apps.catalog.services import archive_product, create_product, update_product

__all__ = [
    "Product",
    "ProductChanges",
    "ProductDraft",
    "ProductOrder",
    "archive_product",
    "count_products",
    "create_product",
    "get_product",
    "get_products",
    "list_products",
    "product_keyset",
    "update_product",
]
