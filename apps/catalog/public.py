"""The catalog as everyone else sees it: these functions, whether it runs here or elsewhere."""

from apps.catalog.entities import (
    Line,
    Product,
    ProductChanges,
    ProductDraft,
    ProductOrder,
    Reservation,
    ReservationStatus,
)
from framework.seam.remote import is_remote, outside_transaction

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
    from apps.catalog import services
    from apps.catalog.repository import count_products, get_product, get_products, list_products

    archive_product = outside_transaction(services.archive_product)
    commit = outside_transaction(services.commit)
    create_product = outside_transaction(services.create_product)
    release = outside_transaction(services.release)
    reserve = outside_transaction(services.reserve)
    update_product = outside_transaction(services.update_product)

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
    "release",
    "reserve",
    "update_product",
]
