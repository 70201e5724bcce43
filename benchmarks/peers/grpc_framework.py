"""django-grpc-framework's ModelService with a serializer. Its List streams; here it is also given a list in one."""

# ruff: noqa: E402, N802 - Django is set up first; the contract names the methods

from collections.abc import Iterator
from typing import Any

import django

django.setup()

import products_pb2 as pb  # generated for the run
import products_pb2_grpc
from django.db.models import QuerySet
from django_grpc_framework import generics, proto_serializers

from apps.catalog.models import Product
from benchmarks.peers.grpc_serve import LIST, STREAM, serve


class ProductSerializer(proto_serializers.ModelProtoSerializer):
    class Meta:
        model = Product
        proto_class = pb.Product
        fields = [field.name for field in pb.Product.DESCRIPTOR.fields]


class ProductService(generics.ModelService):
    queryset = Product.objects.all()
    serializer_class = ProductSerializer

    def get_queryset(self) -> "QuerySet[Product]":
        rows = super().get_queryset()
        return rows.order_by("id")[:STREAM] if self.action == "Stream" else rows

    def List(self, request: Any, context: Any) -> pb.ProductListResponse:
        rows = self.get_queryset().filter(is_active=True).order_by("name", "id")[:LIST]
        return pb.ProductListResponse(results=self.get_serializer(rows, many=True).message)

    def Stream(self, request: Any, context: Any) -> Iterator[pb.Product]:
        yield from super().List(request, context)


if __name__ == "__main__":
    serve(products_pb2_grpc.add_ProductControllerServicer_to_server, ProductService.as_servicer())
