"""The catalog's methods for other services."""

from collections.abc import Iterator
from typing import Any

import grpc

from apps.catalog import repository, rules, services
from apps.catalog.entities import Product
from framework.actor import allow, service
from framework.grpc.service import Service
from framework.seam.codec import codec
from framework.seam.server import Server
from protos.catalog.v1 import catalog_pb2 as pb
from protos.catalog.v1 import catalog_pb2_grpc

CHUNK = 500  # products a streamed message
MAX_BYTES = 2 << 20  # of a streamed message; clients receive 4 MiB unless they are told otherwise

_PRODUCT = codec(Product, pb.Product)
_serve = Server(pb.DESCRIPTOR, "CatalogService")


class CatalogService(Service, catalog_pb2_grpc.CatalogServiceServicer):
    GetProduct = _serve("GetProduct", repository.get_product, allow=service)
    BatchGetProducts = _serve("BatchGetProducts", repository.get_products, allow=service)
    ListProducts = _serve("ListProducts", repository.list_products, allow=service)
    CountProducts = _serve("CountProducts", repository.count_products, allow=service)
    CreateProduct = _serve("CreateProduct", services.create_product, allow=rules.ADD)
    UpdateProduct = _serve("UpdateProduct", services.update_product, allow=rules.CHANGE)
    ArchiveProduct = _serve("ArchiveProduct", services.archive_product, allow=rules.CHANGE)
    Reserve = _serve("Reserve", services.reserve, allow=rules.CHANGE)
    Commit = _serve("Commit", services.commit, allow=rules.CHANGE)
    Release = _serve("Release", services.release, allow=rules.CHANGE)

    @allow(service)
    def StreamProducts(
        self, request: pb.StreamProductsRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.StreamProductsResponse]:
        for chunk in repository.iterate_products(chunk_size=CHUNK):
            yield from _fitting(pb.StreamProductsResponse(products=map(_PRODUCT.values, chunk)))


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
