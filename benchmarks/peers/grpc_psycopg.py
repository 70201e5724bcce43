"""The limit: grpcio and psycopg, nothing else. Streams row by row."""

# ruff: noqa: N802 - the contract names the methods

import os
import threading
from collections.abc import Iterator
from typing import Any

import grpc
import psycopg

from apps.catalog.entities import Product
from benchmarks.peers.grpc_serve import LIST, STREAM, serve
from framework.seam.codec import codec
from protos.catalog.v1 import catalog_pb2 as pb
from protos.catalog.v1 import catalog_pb2_grpc

SELECT = f"SELECT {', '.join(Product._fields)} FROM catalog_product"
BY_ID = f"{SELECT} WHERE id = %s"
PAGE = f"{SELECT} WHERE is_active ORDER BY name, id LIMIT {LIST}"
ALL = f"{SELECT} ORDER BY id LIMIT {STREAM}"

local = threading.local()


def connection() -> psycopg.Connection:
    if not hasattr(local, "connection"):
        local.connection = psycopg.connect(os.environ["DATABASE_URL"], autocommit=True, options="-c timezone=UTC")
    return local.connection


PRODUCT = codec(Product, pb.Product)


def message(row: tuple[object, ...]) -> Any:
    return PRODUCT.values(Product._make(row))


class Catalog(catalog_pb2_grpc.CatalogServiceServicer):
    def GetProduct(self, request: pb.GetProductRequest, context: grpc.ServicerContext) -> pb.GetProductResponse:
        row = connection().execute(BY_ID, [request.product_id]).fetchone()
        assert row is not None
        return pb.GetProductResponse(product=message(row))

    def ListProducts(self, request: pb.ListProductsRequest, context: grpc.ServicerContext) -> pb.ListProductsResponse:
        return pb.ListProductsResponse(products=map(message, connection().execute(PAGE).fetchall()))

    def StreamProducts(
        self, request: pb.StreamProductsRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.StreamProductsResponse]:
        for row in connection().execute(ALL).fetchall():
            yield pb.StreamProductsResponse(products=[message(row)])


if __name__ == "__main__":
    serve(catalog_pb2_grpc.add_CatalogServiceServicer_to_server, Catalog())
