"""Demo products, for development only."""

from decimal import Decimal
from itertools import product as combinations

from apps.catalog import repository
from apps.catalog.entities import ProductDraft

_MATERIALS = ("Oak", "Walnut", "Birch", "Steel", "Linen", "Wool", "Cork", "Glass")
_THINGS = ("Chair", "Table", "Lamp", "Shelf", "Bench", "Mirror", "Stool", "Rug")


def load() -> str:
    """Create 64 products; returns what was done."""
    drafts = [
        ProductDraft(
            sku=f"{material[:3]}-{thing[:3]}-{number:03}".upper(),
            name=f"{material} {thing}",
            description=f"A {thing.lower()} made of {material.lower()}.",
            price=Decimal(1990 + number * 735) / 100,
            stock=number * 7 % 40,
        )
        for number, (material, thing) in enumerate(combinations(_MATERIALS, _THINGS))
    ]
    repository.upsert_products(drafts)
    return f"catalog: {len(drafts)} products"
