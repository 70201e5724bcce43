"""Domains that run elsewhere, as the settings name them."""

from functools import cache

from django.conf import settings
from google.protobuf.descriptor import FileDescriptor

from apps.common.grpc.channel import Channel, Tls


def is_remote(domain: str) -> bool:
    """Whether the domain runs in another service: `<DOMAIN>_URL` is set, and DOMAINS does not name it."""
    return domain in settings.REMOTE_DOMAINS


@cache
def channel(domain: str, contract: FileDescriptor) -> Channel:
    """The channel to a domain that runs elsewhere; `contract` is its `<domain>_pb2.DESCRIPTOR`."""
    tls = Tls(settings.GRPC_CALL_CA, settings.GRPC_CALL_CERT, settings.GRPC_CALL_KEY)
    return Channel(settings.REMOTE_DOMAINS[domain], contract, token=settings.GRPC_CALL_TOKEN, tls=tls)
