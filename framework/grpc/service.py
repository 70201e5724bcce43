"""The base of every servicer, and the only module that knows django-grpc-framework.

A domain's `rpc.py` looks like this; a method without a rule keeps the server from starting:

    serve = Server(catalog_pb2.DESCRIPTOR, "CatalogService")    # of framework.seam.server

    class CatalogService(Service, catalog_pb2_grpc.CatalogServiceServicer):
        GetProduct = serve("GetProduct", repository.get_product, allow=service)

        @allow(service)
        def StreamProducts(self, request, context):             # what no function can answer
            ...

    def register(server):
        catalog_pb2_grpc.add_CatalogServiceServicer_to_server(CatalogService.as_servicer(), server)

The actor is `self.actor`; refusals are raised as `framework.errors`; a loop that may run long
calls `framework.context.check_deadline()`. Between two messages of a stream the connection goes back to the pool,
unless a transaction is open: a cursor that spans messages needs `atomic()`.
"""

from collections.abc import Iterator
from typing import Any

import grpc
from django.core.exceptions import ImproperlyConfigured
from django_grpc_framework import services
from django_grpc_framework.settings import grpc_settings

from framework import context
from framework.actor import Actor


def root_handlers(server: grpc.Server) -> tuple[str, ...]:
    """Have all services added to the server by the project's hook; returns their full names."""
    names: tuple[str, ...] = grpc_settings.ROOT_HANDLERS_HOOK(server)
    return names


class Service(services.Service):
    """One instance a call, with `request`, `context` and `action` set; its database connections are looked after."""

    @property
    def actor(self) -> Actor:
        """On whose behalf the call is made."""
        return context.actor()

    @classmethod
    def as_servicer(cls, **attributes: Any) -> Any:
        """What the generated `add_..._to_server` takes.

        Raises ImproperlyConfigured when a method of the contract is missing or has no rule.
        """
        for name in _contract(cls):
            if not hasattr(getattr(cls, name), "allowed"):
                raise ImproperlyConfigured(
                    f"{cls.__module__}.{cls.__name__}.{name} must be written, and say who may call it: @allow(...)."
                )
        return super().as_servicer(**attributes)


def _contract(service: type) -> Iterator[str]:
    """The methods of the generated servicers among the bases."""
    for base in service.__mro__:
        if base.__module__.endswith("_pb2_grpc"):
            yield from (name for name, value in vars(base).items() if callable(value) and not name.startswith("_"))
