"""The catalog as everyone else sees it: these functions, whether it runs here or elsewhere."""

from apps.catalog.entities import (
    Line,
    Product,
    ProductChanges,
    ProductDraft,
    ProductOrder,
    Reservation,
    ReservationStatus,
    product_keyset,
)
from apps.common.remote import is_remote

if is_remote("catalog"):
    from apps.catalog.client import (
        archive_product,
        commit,
        count_products,
        create_product,
        get_product,
        get_products,
        list_products,
        release,
        reserve,
        update_product,
    )
else:
    from apps.catalog.repository import count_products, get_product, get_products, list_products
    from apps.catalog.services import archive_product, commit, create_product, release, reserve, update_product

__all__ = [
    "Line",
    "Product",
    "ProductChanges",
    "ProductDraft",
    "ProductOrder",
    "Reservation",
    "ReservationStatus",
    "archive_product",
    "commit",
    "count_products",
    "create_product",
    "get_product",
    "get_products",
    "list_products",
    "product_keyset",
    "release",
    "reserve",
    "update_product",
]
