"""The gRPC services of all domains: settings.GRPC_FRAMEWORK["ROOT_HANDLERS_HOOK"]."""

from collections.abc import Sequence
from typing import Any

import grpc

from framework import discovery


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


def register(server: grpc.Server) -> tuple[str, ...]:
    """Add the services of every domain that has an `rpc.py`, and return their full names.

    Raises ImproperlyConfigured when two domains add a service of one name.
    """
    found = []
    for module in discovery.modules("rpc"):
        recorder = _Recorder(server)
        module.register(recorder)
        found += [(name, module) for name in recorder.names]
    discovery.unique("gRPC service", found)
    return tuple(name for name, _ in found)
