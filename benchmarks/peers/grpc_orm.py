"""grpcio and Django's `.values_list()`, without interceptors. Streams row by row."""

# ruff: noqa: E402, N802 - Django is set up first; the contract names the methods

from collections.abc import Iterator
from typing import Any

import django
import grpc

django.setup()

from apps.catalog.entities import Product
from apps.catalog.models import Product as Row
from benchmarks.peers.grpc_serve import LIST, STREAM, serve
from framework.seam.codec import codec
from protos.catalog.v1 import catalog_pb2 as pb
from protos.catalog.v1 import catalog_pb2_grpc

PRODUCT = codec(Product, pb.Product)


def message(row: tuple[object, ...]) -> Any:
    return PRODUCT.values(Product._make(row))


class Catalog(catalog_pb2_grpc.CatalogServiceServicer):
    def GetProduct(self, request: pb.GetProductRequest, context: grpc.ServicerContext) -> pb.GetProductResponse:
        row = Row.objects.values_list(*Product._fields).get(pk=request.product_id)
        return pb.GetProductResponse(product=message(row))

    def ListProducts(self, request: pb.ListProductsRequest, context: grpc.ServicerContext) -> pb.ListProductsResponse:
        rows = Row.objects.filter(is_active=True).order_by("name", "id").values_list(*Product._fields)[:LIST]
        return pb.ListProductsResponse(products=map(message, rows))

    def StreamProducts(
        self, request: pb.StreamProductsRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.StreamProductsResponse]:
        for row in Row.objects.order_by("id").values_list(*Product._fields)[:STREAM]:
            yield pb.StreamProductsResponse(products=[message(row)])


if __name__ == "__main__":
    serve(catalog_pb2_grpc.add_CatalogServiceServicer_to_server, Catalog())
