"""Where the domains are, for a process that is not this project: `framework.seam.remote` of the client package."""

import os
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple, TypeVar

import grpc
from google.protobuf.descriptor import FileDescriptor

from framework import context
from framework.actor import NOBODY, SYSTEM, Actor
from framework.grpc.channel import DEFAULT_DEADLINE, Channel, Tls, endpoint

S = TypeVar("S")
W = TypeVar("W")

PREFIX = __name__.partition(".")[0].removesuffix("_client").upper() + "_"  # of environment variables


class _Place(NamedTuple):
    url: str
    token: str
    tls: Tls
    deadline: float


_places: dict[str, _Place] = {}  # by domain; "" for those that are not named


def connect(
    url: str,
    *,
    token: str = "",
    tls: Tls = Tls(),  # noqa: B008 - immutable
    deadline: float = DEFAULT_DEADLINE,
    domain: str = "",
) -> None:
    """Say where one domain is, or all that are not named otherwise. The first call of a process opens the connection.

    `url` is grpc://host:port, or grpcs://host:port for TLS; `deadline` is the seconds a call may take.
    Raises ValueError for another kind of URL.
    """
    endpoint(url)
    _places[domain] = _Place(url, token, tls, deadline)
    stub.cache_clear()
    channel.cache_clear()


def from_env(environ: Mapping[str, str] = os.environ) -> None:
    """Say so by the environment: `<PREFIX>URL` for all domains, `<PREFIX>CATALOG_URL` for one.

    `<PREFIX>TOKEN`, and the PEM files `<PREFIX>CA`, `<PREFIX>CERT` and `<PREFIX>KEY`, go with each.
    Raises LookupError when there is no URL, ValueError for a bad one.
    """
    given = {name.removeprefix(PREFIX): value for name, value in environ.items() if name.startswith(PREFIX) and value}
    urls = {f"_{name}".removesuffix("_URL"): url for name, url in given.items() if f"_{name}".endswith("_URL")}
    if not urls:
        raise LookupError(f"{PREFIX}URL is not set")
    tls = Tls(*(Path(given[name]) if name in given else None for name in ("CA", "CERT", "KEY")))
    for name, url in urls.items():
        connect(url, token=given.get("TOKEN", ""), tls=tls, domain=name.lstrip("_").lower())


def is_remote(domain: str) -> bool:
    """True: a process that installs the client package holds none of the domains."""
    return True


@cache
def channel(domain: str, contract: FileDescriptor) -> Channel:
    """The channel to a domain; `contract` is its `<domain>_pb2.DESCRIPTOR`. Raises LookupError before `connect`."""
    place = _places.get(domain) or _places.get("")
    if place is None:
        raise LookupError(f"Nobody said where {domain} is: call connect() or from_env() first.")
    return Channel(place.url, contract, token=place.token, tls=place.tls, deadline=place.deadline, acting=_acting)


@cache
def stub(domain: str, contract: FileDescriptor, kind: Callable[[grpc.Channel], S]) -> S:
    """The generated stub over that channel, one a process; for what has no function, as streams."""
    return kind(channel(domain, contract))


def refuse_inside_transaction() -> None:
    """Which database the caller has, and what it does with it, is not known here."""


def outside_transaction(write: W) -> W:
    """The write itself: `public.py` asks for it only where the domain is here."""
    return write


def _acting() -> Actor:
    """Whom `acting_as` names; without it, a service calls on its own behalf."""
    actor = context.actor()
    return SYSTEM if actor == NOBODY else actor
