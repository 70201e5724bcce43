"""Two ways for tests to call a service.

    channel = LocalChannel(rpc.register, chain)            # no network, the test's own thread and transaction
    with serving(rpc.register, chain) as address: ...      # a server on a free port; needs a transactional test

Both go through serialization and the whole chain.
"""

import contextvars
import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import Any, NoReturn, TypeAlias

import grpc
from django.db import connections

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Metadata = tuple[tuple[str, str | bytes], ...]


@contextmanager
def serving(
    register: Callable[[Any], object], interceptor: grpc.ServerInterceptor, *, threads: int = 4, **options: Any
) -> Iterator[str]:
    """Serve on a free loopback port, and yield its `host:port`."""
    pool = ThreadPoolExecutor(threads)
    server = grpc.server(pool, interceptors=[interceptor], **options)
    register(server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(0).wait()
        for each in (pool, getattr(interceptor, "stream_threads", None)):
            if each is not None:
                _close_connections(each)
                each.shutdown()


def _close_connections(pool: ThreadPoolExecutor) -> None:
    """Let go of the test database in every thread, so that it can be dropped."""
    threads = pool._max_workers
    together = threading.Barrier(threads)

    def close() -> None:
        together.wait(timeout=10)
        connections.close_all()

    wait([pool.submit(close) for _ in range(threads)])


class LocalChannel(grpc.Channel):
    """What `register(server)` would serve, called directly."""

    def __init__(self, register: Callable[[Any], object], interceptor: grpc.ServerInterceptor) -> None:
        self._handlers: dict[str, Handler] = {}
        self._interceptor = interceptor
        register(self)

    def add_generic_rpc_handlers(self, handlers: Sequence[grpc.GenericRpcHandler]) -> None:
        """The same handlers follow by name."""

    def add_registered_method_handlers(self, service: str, handlers: Mapping[str, Handler]) -> None:
        self._handlers |= {f"/{service}/{name}": handler for name, handler in handlers.items()}

    def handler(self, method: str, metadata: Metadata) -> Handler:
        found = self._interceptor.intercept_service(
            lambda details: self._handlers.get(details.method), _CallDetails(method, metadata)
        )
        if found is None:
            raise LocalError(grpc.StatusCode.UNIMPLEMENTED, "Method not found!", ())
        return found

    def unary_unary(self, *args: Any, **kwargs: Any) -> Any:
        return _Method(self, False, *args, **kwargs)

    def stream_unary(self, *args: Any, **kwargs: Any) -> Any:
        return _Method(self, True, *args, **kwargs)

    unary_stream, stream_stream = unary_unary, stream_unary

    def subscribe(self, callback: Any, try_to_connect: bool = False) -> None:
        callback(grpc.ChannelConnectivity.READY)

    def unsubscribe(self, callback: Any) -> None:
        pass

    def close(self) -> None:
        pass

    def __enter__(self) -> "LocalChannel":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class LocalError(grpc.RpcError):
    """What a stub raises; speaks like a grpc.Call."""

    def __init__(self, code: grpc.StatusCode, details: str, trailing: Metadata) -> None:
        super().__init__(f"{code.name}: {details}")
        self._code, self._details, self._trailing = code, details, trailing

    def code(self) -> grpc.StatusCode:
        return self._code

    def details(self) -> str:
        return self._details

    def trailing_metadata(self) -> Any:
        return self._trailing


class _CallDetails(grpc.HandlerCallDetails):
    def __init__(self, method: str, metadata: Metadata) -> None:
        self.method = method
        self.invocation_metadata = metadata


class _Method:
    def __init__(
        self,
        channel: LocalChannel,
        streams: bool,
        name: str,
        request_serializer: Callable[[Any], bytes],
        response_deserializer: Callable[[bytes], Any],
        **_: Any,
    ) -> None:
        self._channel = channel
        self._streams = streams
        self._name = name
        self._serialize = request_serializer
        self._deserialize = response_deserializer

    def __call__(self, request: Any, timeout: float | None = None, metadata: Metadata | None = None) -> Any:
        handler = self._channel.handler(self._name, metadata or ())
        context = LocalContext(timeout, metadata or ())
        data = map(self._serialize, request if self._streams else (request,))
        call = _Call(handler, context, self._deserialize)
        return call.stream(data) if handler.response_streaming else call.unary(data)


class _Call:
    """One call, in a context of its own, as the server gives each."""

    def __init__(self, handler: Any, context: "LocalContext", deserialize: Callable[[bytes], Any]) -> None:
        self._context = context
        self._variables = contextvars.Context()
        self._serialize = handler.response_serializer
        self._deserialize = deserialize
        self._behavior = handler.stream_unary or handler.stream_stream

    def unary(self, data: Any) -> Any:
        return self._received(self._run(self._behavior, data, self._context))

    def stream(self, data: Any) -> "_Responses":
        return _Responses(self._responses(data))

    def _responses(self, data: Any) -> Iterator[Any]:
        responses = self._run(self._behavior, data, self._context)
        try:
            while (response := self._run(next, responses, None)) is not None:
                yield self._received(response)
        except GeneratorExit:
            self._context.cancel()
            self._variables.run(responses.close)
            raise

    def _run(self, function: Callable[..., Any], *args: Any) -> Any:
        try:
            return self._variables.run(function, *args)
        except _Aborted:
            context = self._context
            raise LocalError(
                context.code() or grpc.StatusCode.UNKNOWN,
                context.details().decode(),
                context.trailing_metadata(),
            ) from None

    def _received(self, response: Any) -> Any:
        return self._deserialize(self._serialize(response))


class _Responses:
    def __init__(self, responses: Any) -> None:
        self._responses = responses

    def __iter__(self) -> "_Responses":
        return self

    def __next__(self) -> Any:
        return next(self._responses)

    def cancel(self) -> None:
        self._responses.close()


class _Aborted(Exception):
    """What abort() raises."""


class LocalContext(grpc.ServicerContext):
    """The servicer's view of a local call."""

    def __init__(self, timeout: float | None, metadata: Metadata) -> None:
        self._ends = math.inf if timeout is None else time.time() + timeout
        self._metadata = metadata
        self._active = threading.Event()
        self._active.set()
        self._trailing: Metadata = ()
        self._code: grpc.StatusCode | None = None
        self._details = b""

    def is_active(self) -> bool:
        return self._active.is_set()

    def time_remaining(self) -> float:
        return max(self._ends - time.time(), 0)

    def cancel(self) -> bool:
        self._active.clear()
        return True

    def add_callback(self, callback: Callable[[], None]) -> bool:
        return self.is_active()

    def invocation_metadata(self) -> Metadata:
        return self._metadata

    def peer(self) -> str:
        return "local"

    def peer_identities(self) -> None:
        return None

    def peer_identity_key(self) -> None:
        return None

    def auth_context(self) -> dict[str, Any]:
        return {}

    def send_initial_metadata(self, initial_metadata: Metadata) -> None:
        pass

    def set_trailing_metadata(self, trailing_metadata: Metadata) -> None:
        self._trailing = trailing_metadata

    def trailing_metadata(self) -> Metadata:
        return self._trailing

    def abort(self, code: grpc.StatusCode, details: str) -> NoReturn:
        self._code, self._details = code, details.encode()
        raise _Aborted

    def abort_with_status(self, status: grpc.Status) -> NoReturn:
        self._trailing = status.trailing_metadata
        self.abort(status.code, status.details)

    def set_code(self, code: grpc.StatusCode) -> None:
        self._code = code

    def set_details(self, details: str) -> None:
        self._details = details.encode()

    def code(self) -> grpc.StatusCode | None:
        return self._code

    def details(self) -> bytes:
        return self._details
