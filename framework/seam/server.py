"""Methods of a servicer that answer with what a function of the domain returns.

    serve = Server(pb.DESCRIPTOR, "CatalogService")

    class CatalogService(Service, catalog_pb2_grpc.CatalogServiceServicer):
        GetProduct = serve("GetProduct", repository.get_product, allow=service)

`method` says how arguments and results travel.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from google.protobuf.descriptor import FileDescriptor

from framework import context
from framework.actor import Rule
from framework.actor import allow as declare
from framework.errors import DomainError, InvalidArgument
from framework.seam.links import Invalid
from framework.seam.method import Method


class Server:
    """Makes methods of functions, for one service of a contract."""

    def __init__(self, contract: FileDescriptor, service: str) -> None:
        self._contract = contract
        self._service = service

    def __call__(self, name: str, function: Callable[..., Any], *, allow: Rule) -> Any:
        """The servicer's method. Raises ContractError when the function's signature does not fit the contract's."""
        method = Method(function, self._contract, self._service, name)

        @declare(allow)
        def serve(servicer: Any, request: Any, call: Any) -> Any:
            with _named_as_there(method.paths):
                arguments = method.arguments(request)
                if method.for_actor:
                    arguments["actor"] = context.actor()
                result = function(**arguments)
            return method.response(result)

        return serve


@contextmanager
def _named_as_there(paths: Mapping[str, str]) -> Iterator[None]:
    """Refusals name the fields as the message does, not as the function."""
    try:
        yield
    except Invalid as error:
        raise InvalidArgument("Some fields cannot be accepted.", fields=error.fields) from None
    except DomainError as error:
        error.fields = {paths.get(name, name): text for name, text in error.fields.items()}
        raise
