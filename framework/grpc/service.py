"""The base class of servicers, and their registration; no other module imports django-grpc-framework's services.

A domain's `rpc.py` looks like this; a method without a rule keeps the server from starting:

    serve = Server(catalog_pb2.DESCRIPTOR, "CatalogService")    # of framework.seam.server

    class CatalogService(Service, catalog_pb2_grpc.CatalogServiceServicer):
        GetProduct = serve("GetProduct", repository.get_product, allow=service)

        @allow(service)
        def StreamProducts(self, request, context):             # what no function can answer
            ...

    def register(server):
        catalog_pb2_grpc.add_CatalogServiceServicer_to_server(CatalogService.as_servicer(), server)

The actor is `self.actor`; methods refuse by raising `framework.errors`; a loop that may run long calls
`framework.context.check_deadline()`.
Between two messages of a stream the connection goes back to the pool, unless a transaction is open: a cursor that
spans messages needs `atomic()`.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import grpc
from django.core.exceptions import ImproperlyConfigured
from django_grpc_framework import services
from django_grpc_framework.settings import grpc_settings

from framework import context, discovery
from framework.actor import Actor


class Service(services.Service):
    """One instance a call, with `request`, `context` and `action` set; its database connections are looked after."""

    @property
    def actor(self) -> Actor:
        """On whose behalf the call is made."""
        return context.actor()

    @classmethod
    def as_servicer(cls, **attributes: Any) -> Any:
        """Returns what the generated `add_..._to_server` takes.

        Raises ImproperlyConfigured when a method of the contract is missing or has no rule.
        """
        for name in _contract(cls):
            if not hasattr(getattr(cls, name), "allowed"):
                raise ImproperlyConfigured(
                    f"{cls.__module__}.{cls.__name__}.{name} must be written, and say who may call it: @allow(...)."
                )
        return super().as_servicer(**attributes)


def add_services(server: grpc.Server) -> tuple[str, ...]:
    """Add the services that the hook of settings.GRPC_FRAMEWORK registers, and return their full names."""
    names: tuple[str, ...] = grpc_settings.ROOT_HANDLERS_HOOK(server)
    return names


def register(server: grpc.Server) -> tuple[str, ...]:
    """The hook: add the services of every domain that has an `rpc.py`, and return their full names.

    Raises ImproperlyConfigured when two domains add a service of one name.
    """
    found = []
    for module in discovery.modules("rpc"):
        recorder = _Recorder(server)
        module.register(recorder)
        found += [(name, module) for name in recorder.names]
    discovery.unique("gRPC service", found)
    return tuple(name for name, _ in found)


class _Recorder:
    """Stands in for the server while a domain registers, to learn which services it adds."""

    def __init__(self, server: grpc.Server) -> None:
        self._server = server
        self.names: list[str] = []

    def add_generic_rpc_handlers(self, handlers: Sequence[Any]) -> None:
        self.names += [handler.service_name() for handler in handlers]
        self._server.add_generic_rpc_handlers(handlers)

    def add_registered_method_handlers(self, service_name: str, handlers: dict[str, Any]) -> None:
        self._server.add_registered_method_handlers(service_name, handlers)


def _contract(service: type) -> Iterator[str]:
    """The names of the methods of the generated servicers among the bases."""
    for base in service.__mro__:
        if base.__module__.endswith("_pb2_grpc"):
            yield from (name for name, value in vars(base).items() if callable(value) and not name.startswith("_"))
