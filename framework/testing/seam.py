"""For tests of a domain's contract: its functions, called in each way in which other domains may call them.

    with via("apps.catalog", way) as catalog:      # one of WAYS: "direct" or "served"
        product = catalog.get_product(7)

Each result is checked against the function's annotation, so that only declared types cross the seam, and each
refusal against its declared reasons.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from functools import wraps
from importlib import import_module
from types import ModuleType, NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints
from unittest.mock import patch

import grpc

from framework.errors import DomainError
from framework.grpc.auth import Authenticator
from framework.grpc.channel import Channel
from framework.grpc.interceptors import Chain
from framework.grpc.tokens import parse_tokens
from framework.pages import Page
from framework.seam import remote
from framework.testing.grpc import serving_in_transaction
from framework.testing.reasons import check_declared

WAYS = ("direct", "served")
CALLER = "monolith"
TOKEN = "contract-token-0123456789"  # noqa: S105 - of tests only

PLAIN = (bool, int, float, str, bytes, Decimal, datetime, date, timedelta, NoneType)
_SEQUENCES = (list, Sequence)
_MAPPINGS = (dict, Mapping)


class Functions:
    """A domain's functions, from its `public` or its `client`."""

    def __init__(self, module: ModuleType) -> None:
        self._module = module

    def __getattr__(self, name: str) -> Any:
        return _checked(getattr(self._module, name))


@contextmanager
def via(package: str, way: str) -> Iterator[Functions]:
    """The functions of a domain that is installed in this process.

    "direct" calls `public`; "served" calls `client`, which reaches a gRPC server on a port. Both work in the test's
    own transaction.
    """
    if way == "direct":
        yield Functions(import_module(f"{package}.public"))
        return
    register = import_module(f"{package}.rpc").register
    chain = Chain(Authenticator(parse_tokens(f"{CALLER}:{TOKEN}:*+assert.staff+assert.unchecked")), default_deadline=30)
    with (
        serving_in_transaction(register, chain) as address,
        _channel(package.rpartition(".")[2], f"grpc://{address}"),
    ):
        yield Functions(import_module(f"{package}.client"))


@contextmanager
def _channel(domain: str, url: str) -> Iterator[None]:
    """Have the domain's client call the server at this URL."""
    channels: list[Channel] = []
    stub_of_others = remote.stub

    def stub(name: str, contract: Any, kind: Callable[[grpc.Channel], Any]) -> Any:
        if name != domain:
            return stub_of_others(name, contract, kind)
        channels.append(Channel(url, contract, token=TOKEN))
        return kind(channels[-1])

    with patch.object(remote, "stub", stub):
        try:
            yield
        finally:
            for channel in channels:
                channel.close()


def _checked(function: Callable[..., Any]) -> Callable[..., Any]:
    expected = get_type_hints(function)["return"]

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            result = function(*args, **kwargs)
        except DomainError as error:
            check_declared(function, error)
            raise
        assert conforms(result, expected), f"{function.__name__} answered {result!r}, which is no {expected}"
        if isinstance(result, Page) and result.next_token:
            assert result.next_token == result.cursor(result.items[-1]), f"{function.__name__}: the keyset is wrong"
        return result

    return call


def is_value(hint: Any) -> bool:
    """Whether all of this type can cross the seam: plain values, enums, named tuples, and collections of those."""
    origin, args = get_origin(hint) or hint, get_args(hint)
    if origin in (Union, UnionType, tuple, frozenset, *_SEQUENCES, *_MAPPINGS):
        return bool(args) and all(arg is Ellipsis or is_value(arg) for arg in args)
    if _is_entity(origin):
        return all(map(is_value, get_type_hints(origin).values())) and all(map(is_value, args))
    return isinstance(origin, TypeVar) or origin in PLAIN or _is_enum(origin)


def conforms(value: Any, hint: Any) -> bool:
    """Whether the value is what the annotation says, to the last field."""
    origin, args = get_origin(hint) or hint, get_args(hint)
    if origin in (Union, UnionType):
        return any(conforms(value, arg) for arg in args)
    if origin in _MAPPINGS:
        return type(value) is dict and all(conforms(k, args[0]) and conforms(v, args[1]) for k, v in value.items())
    if origin in _SEQUENCES or args[1:] == (Ellipsis,):
        return type(value) in (list, tuple) and all(conforms(item, args[0]) for item in value)
    if _is_entity(origin):
        return type(value) is origin and all(
            conforms(getattr(value, name), _filled(field, args)) for name, field in get_type_hints(origin).items()
        )
    return type(value) is origin


def _filled(hint: Any, args: tuple[Any, ...]) -> Any:
    """`list[T]` of a generic entity, with T known."""
    return hint[args] if getattr(hint, "__parameters__", ()) else hint


def _is_entity(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, tuple) and hasattr(kind, "_fields")


def _is_enum(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Enum)
