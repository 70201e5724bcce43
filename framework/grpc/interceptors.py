"""What happens around every call, in this order; unary and streaming alike.

1. request id    taken over or made, on every log line, back in the trailing metadata
2. deadline      the client's, or a default; past it, queries are cancelled (framework/context)
3. access line   logger `access.grpc`: name (the method), code, milliseconds, queries, actor; and the span
4. errors        DomainError -> status with details; anything else -> INTERNAL, masked and logged
5. authentication, then the method's rule (`@allow`); no rule, no call
6. the message   only now is it waited for, and not for long; bytes that are none are the client's: INVALID_ARGUMENT
7. connections   given back when the call ends, and while a stream waits for its reader
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, NoReturn, TypeAlias, TypeVar

import grpc
import structlog
from django.db import close_old_connections
from google.protobuf.message import DecodeError

from framework import context
from framework.actor import Actor, Rule, require
from framework.context.unit import watchdog
from framework.data import outage
from framework.errors import DomainError, InvalidArgument
from framework.grpc.auth import Authenticator
from framework.grpc.contract import changes_nothing
from framework.grpc.errors import DETAILS_KEY, to_status

REQUEST_ID_KEY = context.REQUEST_ID_HEADER.lower()
FRESH_KEY = context.FRESH_HEADER.lower()
MESSAGE_WITHIN = 5.0  # seconds a caller may keep a thread waiting for the message of its call
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Continuation: TypeAlias = Callable[[grpc.HandlerCallDetails], "Handler | None"]
T = TypeVar("T")
UNKNOWN = "unknown"  # names that callers make up must not become names of metrics
MAX_METHOD = 200  # characters of a method in the log
_NEVER = 1e9  # seconds; grpc reports the lack of a deadline as more than this

access_log = structlog.get_logger("access.grpc")
log = structlog.get_logger("grpc")


class Chain(grpc.ServerInterceptor):
    """The interceptor around the domains' methods.

    `streams` is how many answers are streamed at once, each in a thread of its own; 0 takes the server's threads.
    A stream lasts as long as its reader likes, and must not keep the short calls waiting.

    Calls that grpc refuses before a thread takes them up have an access line too: those of unknown methods, and with
    `log_refusals` those beyond the server's limit.
    """

    def __init__(self, authenticate: Authenticator, default_deadline: float, *, streams: int = 0) -> None:
        self.authenticate = authenticate
        self.default_deadline = default_deadline  # seconds
        self.stream_threads = ThreadPoolExecutor(streams, thread_name_prefix="grpc-stream") if streams else None
        self._server: Any = None
        self._max_calls = 0
        self._methods: dict[str, Handler] = {}

    def log_refusals(self, server: grpc.Server, max_calls: int) -> None:
        """Log the calls that the server refuses, because `max_calls` are open."""
        self._server, self._max_calls = server, max_calls

    def is_full(self) -> bool:
        """What grpc asks itself right after the interceptors, under the lock that it changes this number under."""
        return self._server is not None and self._server._state.active_rpc_count >= self._max_calls

    def intercept_service(self, continuation: Continuation, details: grpc.HandlerCallDetails) -> "Handler | None":
        handler = self._methods.get(details.method) or self._find(continuation, details)
        if handler is None:
            _log_refusal(details, UNKNOWN, "UNIMPLEMENTED")
        elif self.is_full():
            _log_refusal(details, details.method, "RESOURCE_EXHAUSTED")
        return handler

    def _find(self, continuation: Continuation, details: grpc.HandlerCallDetails) -> "Handler | None":
        handler = continuation(details)
        if handler is not None:
            served = handler if is_probe(details.method) else _Method(self, details.method, handler).handler()
            self._methods[details.method] = served
        return self._methods.get(details.method)


class _Method:
    """One method of a service, and the chain around it."""

    def __init__(self, chain: Chain, name: str, inner: Handler) -> None:
        self.chain = chain
        self.name = name
        self.domain = name.strip("/").partition(".")[0]
        self.inner = inner
        self.behavior = behavior(inner)
        self.changes_nothing = changes_nothing(name)
        self.deserialize: Callable[[bytes], Any] = inner.request_deserializer or bytes
        self.rule: Rule = getattr(self.behavior, "allowed", _no_one)

    def handler(self) -> Handler:
        """The handler to serve instead.

        It takes a stream whatever the method takes: else grpc waits for the message in a thread before anything here is
        asked. And it parses the message itself, as grpc answers INTERNAL when that fails.
        """
        if not self.inner.response_streaming:
            return grpc.stream_unary_rpc_method_handler(self.answer, None, self.inner.response_serializer)
        answer: Any = partial(self.answer_stream)
        answer.experimental_thread_pool = self.chain.stream_threads  # grpc looks for it here
        return grpc.stream_stream_rpc_method_handler(answer, None, self.inner.response_serializer)

    def answer(self, messages: Iterator[bytes], call: grpc.ServicerContext) -> Any:
        handled = _Call(self, call)
        try:
            handled.admit()
            return self.behavior(self.request(messages, call), call)
        except Exception as error:
            handled.fail(error)
        finally:
            handled.close()

    def answer_stream(self, messages: Iterator[bytes], call: grpc.ServicerContext) -> Iterator[Any]:
        handled = _Call(self, call)
        try:
            handled.admit()
            for response in self.behavior(self.request(messages, call), call):
                close_old_connections()  # the reader may be slow; others need the pool's connections meanwhile
                yield response
                handled.unit.check()
        except GeneratorExit:  # the client left
            handled.code = "CANCELLED"
            raise
        except Exception as error:
            handled.fail(error)
        finally:
            handled.close()
            close_old_connections()

    def request(self, messages: Iterator[bytes], call: grpc.ServicerContext) -> Any:
        """What the method takes: a message, or a stream of them."""
        if self.inner.request_streaming:
            return map(self._parse, until(context.seconds_left() or 0, messages, call))
        return self._parse(only(messages, call))

    def _parse(self, data: bytes) -> Any:
        try:
            return self.deserialize(data)
        except DecodeError:
            raise InvalidArgument("The request is not the message this method takes.", reason="MALFORMED") from None


class _Call:
    """One call, from its first byte to its access line."""

    def __init__(self, method: _Method, call: Any) -> None:
        self.method = method
        self.call = call
        self.code = "OK"
        self.metadata: dict[str, Any] = dict(call.invocation_metadata())
        remaining = call.time_remaining()
        seconds = method.chain.default_deadline if remaining is None or remaining > _NEVER else remaining
        self.unit = context.begin(
            "grpc",
            method.name,
            access_log,
            request_id=self.metadata.get(REQUEST_ID_KEY),
            carrier=self.metadata,
            seconds=seconds,
            client=call,
        )
        self.unit.read_only = method.changes_nothing and FRESH_KEY not in self.metadata
        call.set_trailing_metadata(((REQUEST_ID_KEY, self.unit.request_id),))

    def admit(self) -> None:
        """Raise unless the caller may call this method now."""
        self.unit.check()
        self.unit.actor = self.method.chain.authenticate(self.method.name, self.metadata, self.call)
        require(self.unit.actor, self.method.rule)

    def fail(self, error: Exception) -> NoReturn:
        """End the call with the status that fits."""
        if self.call.code() is not None:  # the handler called abort() or set_code() itself
            self.code = self.call.code().name
            self.call.abort(self.call.code(), (self.call.details() or b"").decode())
        if self.unit.is_over():
            self._abort("DEADLINE_EXCEEDED" if self.call.is_active() else "CANCELLED", "Nobody waits any more.")
        error = outage.unavailable(error) or error
        if not isinstance(error, DomainError) or error.code not in grpc.StatusCode.__members__:
            log.error("unexpected error", method=self.method.name, exc_info=error)
            self._abort("INTERNAL", f"Internal error; the log has it under request id {self.unit.request_id}.")
        status = to_status(error, self.method.domain)
        self._abort(error.code, status.message, (DETAILS_KEY, status.details))

    def _abort(self, code: str, message: str, *metadata: tuple[str, str | bytes]) -> NoReturn:
        self.code = code
        self.call.set_trailing_metadata(((REQUEST_ID_KEY, self.unit.request_id), *metadata))
        abort: Callable[[grpc.StatusCode, str], NoReturn] = self.call.abort
        abort(grpc.StatusCode[code], message)

    def close(self) -> None:
        self.unit.end("call", self.code)


def until(seconds: float, messages: Iterator[T], call: Any) -> Iterator[T]:
    """The messages of a stream; whoever has more to say when the call's time is up is hung up on."""
    with watchdog.hanging_up(call.cancel, seconds):
        yield from messages


def only(messages: Iterator[T], call: Any) -> T:
    """The message of a call that has one; whoever keeps it back is hung up on."""
    with watchdog.hanging_up(call.cancel, MESSAGE_WITHIN):
        message = next(messages, None)
    if message is None:
        raise InvalidArgument("The call has no message.", reason="MALFORMED")
    return message


def _log_refusal(details: grpc.HandlerCallDetails, name: str, code: str) -> None:
    """The access line of a call that grpc refuses before any method sees it."""
    metadata: dict[str, Any] = dict(details.invocation_metadata or ())
    unit = context.begin("grpc", name, access_log, request_id=metadata.get(REQUEST_ID_KEY), carrier=metadata)
    unit.end("call", code, method=details.method[:MAX_METHOD])


def behavior(handler: Any) -> Callable[..., Any]:
    """The function of a handler, whatever it takes and answers."""
    function: Callable[..., Any] = (
        handler.unary_unary or handler.unary_stream or handler.stream_unary or handler.stream_stream
    )
    return function


def is_probe(method: str) -> bool:
    """Whether one of gRPC's own services has the method: health or reflection, served by `framework.grpc.probes`."""
    return method.startswith("/grpc.")


def _no_one(actor: Actor) -> bool:
    return False
