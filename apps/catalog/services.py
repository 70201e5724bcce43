"""The catalog's rules: one function a use case, each decides whether the actor may."""

from apps.catalog import repository
from apps.catalog.entities import Product, ProductChanges, ProductDraft
from apps.common.actor import Actor, require, staff


def create_product(actor: Actor, draft: ProductDraft) -> Product:
    """Raises PermissionDenied, InvalidArgument with the bad fields, AlreadyExists when the SKU is taken."""
    require(actor, staff)
    return repository.create_product(draft)


def update_product(actor: Actor, product_id: int, version: int, changes: ProductChanges) -> Product:
    """Change a product that still has the version that was read.

    Raises PermissionDenied, NotFound, Aborted for a stale version, InvalidArgument, AlreadyExists.
    """
    require(actor, staff)
    return repository.update_product(product_id, version, changes)


def archive_product(actor: Actor, product_id: int, version: int) -> Product:
    """Take a product off sale; it stays readable by id. Raises PermissionDenied, NotFound, Aborted."""
    require(actor, staff)
    return repository.update_product(product_id, version, ProductChanges(is_active=False))
