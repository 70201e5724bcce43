"""Where the domains are, for a process that is not this project: in the package, it stands for `apps.common.remote`."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import grpc
from google.protobuf.descriptor import FileDescriptor

from apps.common import call
from apps.common.actor import NOBODY, SYSTEM, Actor
from apps.common.grpc.channel import DEFAULT_DEADLINE, Channel, Tls

S = TypeVar("S")
Connect = Callable[[FileDescriptor], Channel]

PREFIX = __name__.partition(".")[0].removesuffix("_client").upper()
EVERY = ""  # stands for each domain that has no address of its own

_connect: dict[str, Connect] = {}
_stubs: dict[str, tuple[Channel, object]] = {}


def connect(
    url: str,
    *,
    token: str = "",
    tls: Tls = Tls(),  # noqa: B008 - immutable
    deadline: float = DEFAULT_DEADLINE,
    domain: str = EVERY,
) -> None:
    """Say where to call: one domain, or all that are not named. The connection is made by a process's first call.

    `url` is grpc://host:port, or grpcs://host:port for TLS; `deadline` is in seconds, for each call.
    """

    def channel(contract: FileDescriptor) -> Channel:
        return Channel(url, contract, token=token, tls=tls, deadline=deadline, acting=_acting)

    _connect[domain] = channel
    for known, _ in _stubs.values():
        known.close()
    _stubs.clear()


def from_env(environ: Mapping[str, str] = os.environ) -> None:
    """Say where to call, by the environment: <PREFIX>_URL for all domains, <PREFIX>_CATALOG_URL for one.

    Also read: <PREFIX>_TOKEN, and the PEM files <PREFIX>_CA, <PREFIX>_CERT, <PREFIX>_KEY.
    Raises KeyError when there is no address.
    """
    given = {name.removeprefix(f"{PREFIX}_"): value for name, value in environ.items() if value}
    urls = {name.removesuffix("URL").rstrip("_").lower(): url for name, url in _urls(given).items()}
    authority, certificate, key = (Path(given[name]) if name in given else None for name in ("CA", "CERT", "KEY"))
    if not urls:
        raise KeyError(f"{PREFIX}_URL")
    for domain, url in urls.items():
        connect(url, token=given.get("TOKEN", ""), tls=Tls(authority, certificate, key), domain=domain)


def stub(domain: str, contract: FileDescriptor, kind: Callable[[grpc.Channel], S]) -> S:
    """The generated stub of a domain, one a process. Raises RuntimeError before `connect` or `from_env`."""
    ...
