"""django-socio-grpc as its documentation writes it: asynchronous, a ModelService with a serializer."""

# ruff: noqa: E402 - Django is set up first

import os
from typing import Any

import django
from django.conf import settings

import project  # noqa: F401  # first, as it reads the settings itself


def register(server: Any) -> None:
    products_pb2_grpc.add_ProductControllerServicer_to_server(ProductService.as_servicer(), server)


settings.GRPC_FRAMEWORK = {"ROOT_HANDLERS_HOOK": register, "GRPC_ASYNC": True}
apps = [app for app in settings.INSTALLED_APPS if app != "django_grpc_framework"]
settings.INSTALLED_APPS = [*apps, "django_socio_grpc"]
django.setup()

import products_pb2 as pb  # generated for the run
import products_pb2_grpc
from django.core.management import call_command
from django.db.models import QuerySet
from django_socio_grpc import generics, proto_serializers
from django_socio_grpc.mixins import AsyncStreamModelMixin

from apps.catalog.models import Product
from benchmarks.peers.grpc_serve import LIST, STREAM, THREADS


class ProductSerializer(proto_serializers.ModelProtoSerializer):
    class Meta:
        model = Product
        proto_class = pb.Product
        proto_class_list = pb.ProductListResponse
        fields = [field.name for field in pb.Product.DESCRIPTOR.fields]


class ProductService(generics.AsyncModelService, AsyncStreamModelMixin):
    queryset = Product.objects.all()
    serializer_class = ProductSerializer

    def get_queryset(self) -> "QuerySet[Product]":
        rows = super().get_queryset()
        if self.action == "List":
            return rows.filter(is_active=True).order_by("name", "id")[:LIST]
        return rows.order_by("id")[:STREAM] if self.action == "Stream" else rows


if __name__ == "__main__":
    call_command("grpcrunaioserver", f"127.0.0.1:{os.environ['PORT']}", max_workers=THREADS)
