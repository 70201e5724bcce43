"""The client's end: a channel whose calls carry what the callee needs, and fail with the errors it raised.

Used through the generated stubs:

    channel = Channel("grpc://catalog:50051", catalog_pb2.DESCRIPTOR, token="...")
    catalog_pb2_grpc.CatalogServiceStub(channel).GetProduct(GetProductRequest(product_id=1))   # raises NotFound, ...

Each call carries the request id, the token, on whose behalf it is made, a deadline no later than the caller's own, and
that its reads may not be old once the caller has written.
UNAVAILABLE is tried again, with growing pauses, within the deadline, for the methods whose proto says
`option idempotency_level`. Needs no Django.
"""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, NoReturn
from urllib.parse import urlsplit

import grpc
from google.protobuf.descriptor import FileDescriptor

from framework import context
from framework.actor import Actor
from framework.context import trace
from framework.grpc import assertion
from framework.grpc.contract import changes_nothing, idempotent_methods
from framework.grpc.errors import from_call

DEFAULT_DEADLINE = 10.0  # seconds
MAX_ATTEMPTS = 4  # of one call, the first included
PING_AFTER = 30.0  # seconds without a word from the callee while a call waits
PING_TIMEOUT = 10.0  # seconds until a callee that does not answer a ping is given up
RECONNECT_WITHIN = 5.0  # seconds a try to connect may take, and between two at most

Metadata = tuple[tuple[str, str | bytes], ...]


class Tls(NamedTuple):
    """PEM files: whom to trust (None: the system's authorities), and what to show a server that asks."""

    authority: Path | None = None
    certificate: Path | None = None
    key: Path | None = None


class Channel(grpc.Channel):
    """Connects at the first call of a process, so it may be made at import and before a fork."""

    def __init__(
        self,
        url: str,
        contract: FileDescriptor,
        *,
        token: str = "",
        tls: Tls = Tls(),  # noqa: B008 - immutable
        deadline: float = DEFAULT_DEADLINE,
        acting: Callable[[], Actor] = context.actor,
        connect: Callable[[], grpc.Channel] | None = None,
    ) -> None:
        """`url` is grpc://host:port, or grpcs://host:port for TLS; `deadline` is in seconds.

        `acting` says on whose behalf a call is made: for a user or a visitor (also NOBODY), the callee is told so
        and grants what they may; for a service, what this one's token may. `connect` replaces the network, for
        tests. Raises ValueError for another kind of URL.
        """
        self.domain = contract.package.partition(".")[0]
        self._token = token
        self._key = assertion.key_of(token)
        self._deadline = deadline
        self._acting = acting
        self._connect = connect or _connector(url, contract, tls)
        self._connected: tuple[int, grpc.Channel] | None = None

    def connection(self) -> grpc.Channel:
        """This process's channel; one that was inherited through a fork is left alone, as it cannot be used."""
        process = os.getpid()
        if self._connected is None or self._connected[0] != process:
            self._connected = process, self._connect()
        return self._connected[1]

    def timeout(self, asked: float | None) -> float:
        """Seconds the callee gets: what was asked or the default, and never more than the caller has left.

        Raises DeadlineExceeded when nothing is left.
        """
        context.check_deadline()
        left = context.seconds_left()
        seconds = self._deadline if asked is None else asked
        return seconds if left is None else min(seconds, left)

    def metadata(self, method: str) -> Metadata:
        """What travels beside the request."""
        found: list[tuple[str, str]] = []
        if request_id := context.request_id():
            found.append((context.REQUEST_ID_HEADER.lower(), request_id))
            if not context.may_read_replica():
                found.append((context.FRESH_HEADER.lower(), "1"))
        if self._token:
            found.append(("authorization", f"Bearer {self._token}"))
        actor = self._acting()
        for_itself = actor.service and actor.user_id is None and not actor.for_visitor
        if not for_itself:  # refused without a token: a certificate alone must not lend its rights to a user
            found.append((assertion.METADATA_KEY, assertion.sign(actor, method, self._key)))
        found += trace.headers().items()
        return tuple(found)

    def unary_unary(self, method: str, *args: Any, **kwargs: Any) -> Any:
        return _Unary(self, "unary_unary", method, args, kwargs)

    def unary_stream(self, method: str, *args: Any, **kwargs: Any) -> Any:
        return _Stream(self, "unary_stream", method, args, kwargs)

    def stream_unary(self, method: str, *args: Any, **kwargs: Any) -> Any:
        return _Unary(self, "stream_unary", method, args, kwargs)

    def stream_stream(self, method: str, *args: Any, **kwargs: Any) -> Any:
        return _Stream(self, "stream_stream", method, args, kwargs)

    def subscribe(self, callback: Callable[[grpc.ChannelConnectivity], None], try_to_connect: bool = False) -> None:
        self.connection().subscribe(callback, try_to_connect)

    def unsubscribe(self, callback: Callable[[grpc.ChannelConnectivity], None]) -> None:
        self.connection().unsubscribe(callback)

    def close(self) -> None:
        if self._connected is not None and self._connected[0] == os.getpid():
            self._connected[1].close()
        self._connected = None

    def __enter__(self) -> "Channel":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Method:
    """A method of a stub, on whatever connection this process has."""

    def __init__(self, channel: Channel, kind: str, name: str, args: Any, kwargs: Any) -> None:
        self._channel = channel
        self._kind = kind
        self._name = name
        self._args = args
        self._kwargs = kwargs
        self._bound: tuple[grpc.Channel | None, Any] = (None, None)
        self._changes_nothing = changes_nothing(name)

    def invoke(self, request: Any, timeout: float | None, metadata: Metadata) -> Any:
        connection = self._channel.connection()
        if self._bound[0] is not connection:
            self._bound = connection, getattr(connection, self._kind)(self._name, *self._args, **self._kwargs)
        seconds = self._channel.timeout(timeout)
        sent = (*self._channel.metadata(self._name), *metadata)
        if not self._changes_nothing:
            context.current().wrote = True
        return self._bound[1](request, timeout=seconds, metadata=sent)

    def fail(self, error: grpc.RpcError) -> NoReturn:
        """Raise what the callee raised; a fault of the callee, or of this service's own token, stays an RpcError."""
        raised = from_call(error, self._channel.domain)
        if raised is None or raised.reason.startswith(("TOKEN_", "ACTOR_")):
            raise error
        raise raised from error


class _Unary(_Method):
    def __call__(self, request: Any, timeout: float | None = None, metadata: Metadata = ()) -> Any:
        try:
            with trace.span(self._name.strip("/"), "client"):
                return self.invoke(request, timeout, metadata)
        except grpc.RpcError as error:
            self.fail(error)


class _Stream(_Method):
    def __call__(self, request: Any, timeout: float | None = None, metadata: Metadata = ()) -> Iterator[Any]:
        responses = None
        try:
            with trace.span(self._name.strip("/"), "client"):
                responses = self.invoke(request, timeout, metadata)
            yield from responses
        except grpc.RpcError as error:
            self.fail(error)
        finally:
            if responses is not None:
                responses.cancel()  # a reader that stops early also stops the server


def service_config(contract: FileDescriptor) -> str:
    """How gRPC itself balances and retries: the JSON of `grpc.service_config`.

    Retries cease while more than a third of the calls fail, so that they do not hold down a server that is ill.
    """
    names = [{"service": service, "method": method} for service, method in idempotent_methods(contract)]
    policy = {
        "maxAttempts": MAX_ATTEMPTS,
        "initialBackoff": "0.1s",
        "maxBackoff": "2s",
        "backoffMultiplier": 3,
        "retryableStatusCodes": ["UNAVAILABLE"],
    }
    config: dict[str, Any] = {
        "loadBalancingConfig": [{"round_robin": {}}],
        "retryThrottling": {"maxTokens": 100, "tokenRatio": 0.5},
    }
    if names:
        config["methodConfig"] = [{"name": names, "retryPolicy": policy}]
    return json.dumps(config)


def endpoint(url: str) -> tuple[str, bool]:
    """Where grpc://host:port or grpcs://host:port points, and whether it is TLS. Raises ValueError for another URL."""
    parts = urlsplit(url)
    if parts.scheme not in ("grpc", "grpcs") or not parts.hostname or not parts.port:
        raise ValueError(f"{url!r} is not grpc://host:port or grpcs://host:port")
    return f"dns:///{parts.netloc}", parts.scheme == "grpcs"


def _connector(url: str, contract: FileDescriptor, tls: Tls) -> Callable[[], grpc.Channel]:
    target, secure = endpoint(url)
    options = [
        ("grpc.service_config", service_config(contract)),
        ("grpc.max_receive_message_length", -1),  # a page of long texts may exceed gRPC's 4 MiB
        ("grpc.use_local_subchannel_pool", 1),  # else a forked process takes up its parent's connections
        # A callee that hangs is noticed; calls to it fail at once then, until it can be reached again.
        ("grpc.keepalive_time_ms", round(PING_AFTER * 1000)),
        ("grpc.keepalive_timeout_ms", round(PING_TIMEOUT * 1000)),
        ("grpc.http2.ping_timeout_ms", round(PING_TIMEOUT * 1000)),  # of those that measure the line, too
        ("grpc.min_reconnect_backoff_ms", round(RECONNECT_WITHIN * 1000)),
        ("grpc.max_reconnect_backoff_ms", round(RECONNECT_WITHIN * 1000)),
    ]
    if not secure:
        return lambda: grpc.insecure_channel(target, options)
    return lambda: grpc.secure_channel(target, _credentials(tls), options)


def _credentials(tls: Tls) -> grpc.ChannelCredentials:
    authority, certificate, key = (path.read_bytes() if path else None for path in tls)
    return grpc.ssl_channel_credentials(authority, private_key=key, certificate_chain=certificate)
