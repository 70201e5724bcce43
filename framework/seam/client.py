"""A domain's functions where it runs in another service: the same names, arguments, results and errors.

    remote = Client("catalog", pb.DESCRIPTOR, CatalogServiceStub)

    @remote("GetProduct")
    def get_product(product_id: int) -> Product: ...

    @remote("ListProducts", keyset=product_keyset)
    def list_products(*, first: int = 50, after: str = "", search: str = "") -> Page[Product]: ...

`method` says how arguments and results travel. A function that the contract does not call free of side effects
refuses to be called inside of a transaction. One with an `actor` is called on that actor's behalf; one declared
`as_service`, on behalf of the calling service, whoever the work under way is for.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial, wraps
from typing import Any, ParamSpec, TypeVar

import grpc
from google.protobuf.descriptor import FileDescriptor

from framework import context
from framework.actor import NOBODY, SYSTEM, Actor
from framework.errors import DomainError, InvalidArgument
from framework.pages import Keyset, Page
from framework.seam import remote
from framework.seam.conversions import ContractError
from framework.seam.links import Invalid
from framework.seam.method import MAX_IDS, Method

P = ParamSpec("P")
R = TypeVar("R")

_VISITOR = Actor(for_visitor=True)


class Client:
    """Makes functions of their declarations, for the methods of one service."""

    def __init__(self, domain: str, contract: FileDescriptor, stub: Callable[[grpc.Channel], Any]) -> None:
        self._domain = domain
        self._contract = contract
        self._stub = stub

    def __call__(
        self, name: str, *, keyset: Callable[..., Keyset] | None = None, as_service: bool = False
    ) -> Callable[[Callable[P, R]], Callable[P, R]]:
        """The function that calls this method. Raises ContractError when its signature does not fit the method.

        A function that returns a Page needs `keyset`: called with the arguments that have its parameters' names, it
        tells the keyset of the page, which does not travel.
        """

        def declare(function: Callable[P, R]) -> Callable[P, R]:
            method = Method(function, self._contract, self._stub.__name__.removesuffix("Stub"), name)
            if method.is_page != (keyset is not None):
                raise ContractError(f"{function.__name__}: keyset= is for functions that return a Page, and for all.")
            send: Callable[..., Any] = partial(self._send, method, as_service)
            if keyset is not None:
                send = _keyed(send, inspect.signature(function), keyset)
            call: Callable[..., Any] = partial(_in_parts, send) if method.is_batch else send

            @wraps(function)
            def called(*args: P.args, **kwargs: P.kwargs) -> R:
                if not method.reads:
                    remote.refuse_inside_transaction()
                result: R = call(*args, **kwargs)
                return result

            return called

        return declare

    def _send(self, method: Method, as_service: bool, *args: Any, **kwargs: Any) -> Any:
        with _named_as_here(method.paths):
            request = method.request(*args, **kwargs)
            with context.acting_as(SYSTEM if as_service else _actor(method, args, kwargs)):
                response = getattr(remote.stub(self._domain, self._contract, self._stub), method.name)(request)
        return method.result(response)


def _keyed(
    send: Callable[..., Page[Any]], signature: inspect.Signature, keyset: Callable[..., Keyset]
) -> Callable[..., Page[Any]]:
    """Pages with their keyset."""
    names = list(inspect.signature(keyset).parameters)

    def call(*args: Any, **kwargs: Any) -> Page[Any]:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        return send(*args, **kwargs)._replace(keyset=keyset(*(bound.arguments[name] for name in names)))

    return call


def _in_parts(send: Callable[[Any], dict[Any, Any]], identifiers: Any) -> dict[Any, Any]:
    """Batches of as many ids as one call takes."""
    parts = (identifiers[start : start + MAX_IDS] for start in range(0, len(identifiers), MAX_IDS))
    return {key: value for part in parts for key, value in send(part).items()}


def _actor(method: Method, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Actor:
    """NOBODY is passed on as a visitor; else the client package would take it for the calling service itself."""
    if not method.for_actor:
        return context.actor()
    actor: Actor = args[0] if args else kwargs["actor"]
    return _VISITOR if actor == NOBODY else actor


@contextmanager
def _named_as_here(paths: Mapping[str, str]) -> Iterator[None]:
    """Refusals name the fields as the function does, not as the message."""
    try:
        yield
    except Invalid as error:
        raise InvalidArgument("Some values cannot be accepted.", fields=error.fields) from None
    except DomainError as error:
        names = {path: name for name, path in paths.items()}
        error.fields = {names.get(path, path): text for path, text in error.fields.items()}
        raise
