"""The catalog's door for services."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import grpc
from google.type.money_pb2 import Money

from apps.catalog import repository, services
from apps.catalog.entities import ProductChanges, ProductDraft, ProductOrder
from apps.catalog.wire import ORDERS, lines_of, product_values, reservation_message
from framework.actor import allow, service, staff
from framework.grpc.service import Service
from framework.grpc.validate import Violations, renamed
from framework.pages import MAX_PAGE_SIZE
from protos.catalog.v1 import catalog_pb2 as pb
from protos.catalog.v1 import catalog_pb2_grpc

MAX_IDS = 500
DEFAULT_PAGE_SIZE = 50
CHUNK = 500  # products a streamed message
MAX_BYTES = 2 << 20  # of a streamed message; clients receive 4 MiB unless they are told otherwise
DEFAULT_HELD = 900  # seconds
CHANGEABLE = ("sku", "name", "description", "price", "stock", "is_active")


class CatalogService(Service, catalog_pb2_grpc.CatalogServiceServicer):
    @allow(service)
    def GetProduct(self, request: pb.GetProductRequest, context: grpc.ServicerContext) -> pb.GetProductResponse:
        return pb.GetProductResponse(product=product_values(repository.get_product(request.id)))

    @allow(service)
    def BatchGetProducts(
        self, request: pb.BatchGetProductsRequest, context: grpc.ServicerContext
    ) -> pb.BatchGetProductsResponse:
        with Violations() as check:
            check.length("ids", request.ids, most=MAX_IDS)
        found = repository.get_products(list(request.ids))
        return pb.BatchGetProductsResponse(products=map(product_values, found.values()))

    @allow(service)
    def ListProducts(self, request: pb.ListProductsRequest, context: grpc.ServicerContext) -> pb.ListProductsResponse:
        with Violations() as check:
            check.within("page_size", request.page_size, 0, MAX_PAGE_SIZE)
            check.enum("order_by", pb.ProductOrder, request.order_by)
        with renamed({"after": "page_token"}):
            page = repository.list_products(
                first=request.page_size or DEFAULT_PAGE_SIZE,
                after=request.page_token,
                search=request.search,
                order_by=ORDERS.get(request.order_by, ProductOrder.NAME),
            )
        total = repository.count_products(search=request.search) if request.with_total else 0
        return pb.ListProductsResponse(
            products=map(product_values, page.items), next_page_token=page.next_token, total=total
        )

    @allow(service)
    def StreamProducts(
        self, request: pb.StreamProductsRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.StreamProductsResponse]:
        for chunk in repository.iterate_products(chunk_size=CHUNK):
            yield from _fitting(pb.StreamProductsResponse(products=map(product_values, chunk)))

    @allow(staff)
    def CreateProduct(
        self, request: pb.CreateProductRequest, context: grpc.ServicerContext
    ) -> pb.CreateProductResponse:
        with Violations() as check:
            price, currency = _price(check, "price", request)
        draft = ProductDraft(request.sku, request.name, price, request.description, currency, request.stock)
        with renamed({"currency": "price.currency_code"}):
            product = services.create_product(self.actor, draft)
        return pb.CreateProductResponse(product=product_values(product))

    @allow(staff)
    def UpdateProduct(
        self, request: pb.UpdateProductRequest, context: grpc.ServicerContext
    ) -> pb.UpdateProductResponse:
        with Violations() as check:
            paths = check.mask("update_mask", request.update_mask, CHANGEABLE)
            values = {path: getattr(request.product, path) for path in CHANGEABLE if path in paths and path != "price"}
            if "price" in paths:
                values["price"], values["currency"] = _price(check, "product.price", request.product)
        with renamed({"currency": "product.price.currency_code"} | {path: f"product.{path}" for path in CHANGEABLE}):
            product = services.update_product(
                self.actor, request.product.id, request.product.version, ProductChanges(**values)
            )
        return pb.UpdateProductResponse(product=product_values(product))

    @allow(staff)
    def ArchiveProduct(
        self, request: pb.ArchiveProductRequest, context: grpc.ServicerContext
    ) -> pb.ArchiveProductResponse:
        product = services.archive_product(self.actor, request.id, request.version)
        return pb.ArchiveProductResponse(product=product_values(product))

    @allow(staff)
    def Reserve(self, request: pb.ReserveRequest, context: grpc.ServicerContext) -> pb.ReserveResponse:
        reservation = services.reserve(request.key, lines_of(request.lines), seconds=request.seconds or DEFAULT_HELD)
        return pb.ReserveResponse(reservation=reservation_message(reservation))

    @allow(staff)
    def Commit(self, request: pb.CommitRequest, context: grpc.ServicerContext) -> pb.CommitResponse:
        return pb.CommitResponse(reservation=reservation_message(services.commit(request.key)))

    @allow(staff)
    def Release(self, request: pb.ReleaseRequest, context: grpc.ServicerContext) -> pb.ReleaseResponse:
        return pb.ReleaseResponse(reservation=reservation_message(services.release(request.key)))


def _price(check: Violations, field: str, message: pb.CreateProductRequest | pb.Product) -> tuple[Decimal, str]:
    """Amount and currency; whether it is a currency, the service says, together with what else is wrong."""
    if not message.HasField("price"):
        return check.money(field, message.price)
    amount, _ = check.money(field, Money(currency_code="XXX", units=message.price.units, nanos=message.price.nanos))
    return amount, message.price.currency_code


def _fitting(message: pb.StreamProductsResponse) -> Iterator[pb.StreamProductsResponse]:
    """The message, in as many parts as it takes to be received by any client."""
    if message.ByteSize() <= MAX_BYTES or len(message.products) == 1:
        yield message
        return
    half = len(message.products) // 2
    for part in (message.products[:half], message.products[half:]):
        yield from _fitting(pb.StreamProductsResponse(products=part))


def register(server: Any) -> None:
    catalog_pb2_grpc.add_CatalogServiceServicer_to_server(CatalogService.as_servicer(), server)
