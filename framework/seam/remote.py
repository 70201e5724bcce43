"""Domains that run elsewhere, as the settings name them; and the rule for writes to any other domain."""

from collections.abc import Callable
from functools import cache, wraps
from typing import ParamSpec, TypeVar

import grpc
from django.conf import settings
from django.db import connections
from google.protobuf.descriptor import FileDescriptor

from framework.grpc.channel import Channel, Tls

P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S")


def is_remote(domain: str) -> bool:
    """Whether the domain runs in another service: `<DOMAIN>_URL` is set, and DOMAINS does not name it."""
    return domain in settings.REMOTE_DOMAINS


@cache
def channel(domain: str, contract: FileDescriptor) -> Channel:
    """The channel to a domain that runs elsewhere; `contract` is its `<domain>_pb2.DESCRIPTOR`."""
    tls = Tls(settings.GRPC_CALL_CA, settings.GRPC_CALL_CERT, settings.GRPC_CALL_KEY)
    return Channel(settings.REMOTE_DOMAINS[domain], contract, token=settings.GRPC_CALL_TOKEN, tls=tls)


@cache
def stub(domain: str, contract: FileDescriptor, kind: Callable[[grpc.Channel], S]) -> S:
    """The generated stub over that channel, one a process."""
    return kind(channel(domain, contract))


def refuse_inside_transaction() -> None:
    """Raise RuntimeError inside a transaction: what another domain writes does not roll back with it.

    The same rule as `transaction.atomic(durable=True)`, which the domain itself applies when it is here; like
    there, the transactions that tests wrap around themselves do not count.
    """
    for connection in connections.all(initialized_only=True):
        if connection.in_atomic_block and not connection.atomic_blocks[-1]._from_testcase:  # type: ignore[attr-defined]
            raise RuntimeError("A write to another domain must not stand inside of a transaction.")


def outside_transaction(write: Callable[P, R]) -> Callable[P, R]:
    """Refuses cross-domain writes inside a transaction, so that in-process and remote behave alike.

    What `public.py` hands out of a domain that runs here: RuntimeError in a caller's transaction.
    """

    @wraps(write)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        refuse_inside_transaction()
        return write(*args, **kwargs)

    return guarded
