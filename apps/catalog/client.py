"""The catalog's functions where it runs in another service: the same names, arguments, results and errors."""

from collections.abc import Sequence

from apps.catalog.entities import Line, Product, ProductChanges, ProductDraft, ProductOrder, Reservation, product_keyset
from framework.actor import Actor
from framework.pages import Page
from framework.seam.client import Client
from protos.catalog.v1 import catalog_pb2 as pb
from protos.catalog.v1.catalog_pb2_grpc import CatalogServiceStub

_remote = Client("catalog", pb.DESCRIPTOR, CatalogServiceStub)


@_remote("GetProduct")
def get_product(product_id: int) -> Product: ...


@_remote("BatchGetProducts")
def get_products(product_ids: Sequence[int]) -> dict[int, Product]: ...


@_remote("ListProducts", keyset=product_keyset)
def list_products(
    *, first: int = 50, after: str = "", search: str = "", order_by: ProductOrder = ProductOrder.NAME
) -> Page[Product]: ...


@_remote("CountProducts")
def count_products(*, search: str = "") -> int: ...


@_remote("CreateProduct")
def create_product(actor: Actor, draft: ProductDraft) -> Product: ...


@_remote("UpdateProduct")
def update_product(actor: Actor, product_id: int, version: int, changes: ProductChanges) -> Product: ...


@_remote("ArchiveProduct")
def archive_product(actor: Actor, product_id: int, version: int) -> Product: ...


@_remote("Reserve", as_service=True)
def reserve(key: str, lines: Sequence[Line], *, seconds: int = 900) -> Reservation: ...


@_remote("Commit", as_service=True)
def commit(key: str) -> Reservation: ...


@_remote("Release", as_service=True)
def release(key: str) -> Reservation: ...
