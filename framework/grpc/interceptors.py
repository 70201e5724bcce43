"""What happens around every call, in this order; unary and streaming alike.

1. request id    taken over or made, on every log line, back in the trailing metadata
2. deadline      the client's, or a default; past it, queries are cancelled (work.py)
3. access line   logger `access.grpc`: name (the method), code, milliseconds, queries, actor; and the span (access.py)
4. errors        DomainError -> status with details; anything else -> INTERNAL, masked and logged
5. authentication, then the method's rule (`@allow`); no rule, no call
6. the message   only now is it waited for, and not for long; bytes that are none are the client's: INVALID_ARGUMENT
7. connections   given back when the call ends, and while a stream waits for its reader
"""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, NoReturn, TypeAlias, TypeVar

import grpc
import structlog
from django.db import InterfaceError, OperationalError, close_old_connections
from google.protobuf.message import DecodeError

from framework.actor import Actor, Rule, anyone, require
from framework.context import access, call
from framework.context.work import watchdog
from framework.errors import DomainError, InvalidArgument, Unavailable
from framework.grpc.auth import Authenticator
from framework.grpc.contract import changes_nothing
from framework.grpc.errors import DETAILS_KEY, to_status

REQUEST_ID_KEY = call.REQUEST_ID_HEADER.lower()
FRESH_KEY = call.FRESH_HEADER.lower()
HEALTH_CHECK, HEALTH_WATCH = "/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch"
MESSAGE_WITHIN = 5.0  # seconds a caller may keep a thread waiting for the message of its call
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
T = TypeVar("T")
UNKNOWN = "unknown"  # names that callers make up must not become names of metrics
MAX_METHOD = 200  # characters of a method in the log
_NEVER = 1e9  # seconds; grpc reports the lack of a deadline as more than this

access_log = structlog.get_logger("access.grpc")
log = structlog.get_logger("grpc")


class Chain(grpc.ServerInterceptor):
    """The one interceptor of the server.

    `streams` is how many answers are streamed at once, each in a thread of its own; 0 takes the server's threads.
    A stream lasts as long as its reader likes, and must not keep the short calls waiting.

    `is_full` tells whether grpc has too many calls and will refuse this one, for which it takes no thread. Such a call
    has an access line all the same, and so has one of a method that does not exist.
    """

    def __init__(self, authenticate: Authenticator, default_deadline: float, *, streams: int = 0) -> None:
        self.authenticate = authenticate
        self.default_deadline = default_deadline  # seconds
        self.stream_threads = ThreadPoolExecutor(streams, thread_name_prefix="grpc-stream") if streams else None
        self.is_full: Callable[[], bool] = lambda: False
        self._methods: dict[str, Handler] = {}

    def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], "Handler | None"],
        details: grpc.HandlerCallDetails,
    ) -> "Handler | None":
        handler = self._methods.get(details.method) or self._find(continuation, details)
        if handler is None:
            _log_refusal(details, UNKNOWN, "UNIMPLEMENTED")
        elif self.is_full():
            _log_refusal(details, details.method, "RESOURCE_EXHAUSTED")
        return handler

    def _find(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], "Handler | None"],
        details: grpc.HandlerCallDetails,
    ) -> "Handler | None":
        handler = continuation(details)
        if handler is None or details.method == HEALTH_WATCH:
            return handler
        probed = details.method == HEALTH_CHECK
        wrapped = _health(handler) if probed else _Method(self, details.method, handler).handler()
        self._methods[details.method] = wrapped
        return wrapped


class _Method:
    """One method of a service, and the chain around it."""

    def __init__(self, chain: Chain, name: str, inner: Handler) -> None:
        self.chain = chain
        self.name = name
        self.domain = name.strip("/").partition(".")[0]
        self.inner = inner
        self.behavior = _behavior(inner)
        self.changes_nothing = changes_nothing(name)
        self.deserialize: Callable[[bytes], Any] = inner.request_deserializer or bytes
        self.rule: Rule = getattr(self.behavior, "allowed", anyone if self.domain == "grpc" else _no_one)

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

    def answer(self, messages: Iterator[bytes], context: grpc.ServicerContext) -> Any:
        unit = _Unit(self, context)
        try:
            unit.admit()
            return self.behavior(self.request(messages, context), context)
        except Exception as error:
            unit.fail(error)
        finally:
            unit.close()

    def answer_stream(self, messages: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[Any]:
        unit = _Unit(self, context)
        try:
            unit.admit()
            for response in self.behavior(self.request(messages, context), context):
                close_old_connections()  # the reader may be slow; others need the pool's connections meanwhile
                yield response
                unit.work.check()
        except GeneratorExit:  # the client left
            unit.code = "CANCELLED"
            raise
        except Exception as error:
            unit.fail(error)
        finally:
            unit.close()
            close_old_connections()

    def request(self, messages: Iterator[bytes], context: grpc.ServicerContext) -> Any:
        """What the method takes: a message, or a stream of them."""
        if self.inner.request_streaming:
            return map(self._parse, _until(call.seconds_left() or 0, messages, context))
        return self._parse(_only(messages, context))

    def _parse(self, data: bytes) -> Any:
        try:
            return self.deserialize(data)
        except DecodeError:
            raise InvalidArgument("The request is not the message this method takes.", reason="MALFORMED") from None


class _Unit:
    """One call, from its first byte to its access line."""

    def __init__(self, method: _Method, context: Any) -> None:
        self.method = method
        self.context = context
        self.code = "OK"
        self.metadata: dict[str, Any] = dict(context.invocation_metadata())
        remaining = context.time_remaining()
        seconds = method.chain.default_deadline if remaining is None or remaining > _NEVER else remaining
        self.access = access.Unit(
            access_log,
            "grpc",
            method.name,
            self.metadata,
            request_id=self.metadata.get(REQUEST_ID_KEY),
            seconds=seconds,
        )
        self.access.record.may_lag = method.changes_nothing and FRESH_KEY not in self.metadata
        self.request_id = self.access.request_id
        context.set_trailing_metadata(((REQUEST_ID_KEY, self.request_id),))
        self.work = watchdog.begin(context, time.monotonic() + seconds)

    def admit(self) -> None:
        """Raise unless the caller may call this method now."""
        self.work.check()
        actor = self.method.chain.authenticate(self.method.name, self.metadata, self.context)
        call.set_actor(actor)
        require(actor, self.method.rule)

    def fail(self, error: Exception) -> NoReturn:
        """End the call with the status that fits."""
        if self.context.code() is not None:  # the handler called abort() or set_code() itself
            self.code = self.context.code().name
            self.context.abort(self.context.code(), (self.context.details() or b"").decode())
        if self.work.is_over():
            self._abort("DEADLINE_EXCEEDED" if self.context.is_active() else "CANCELLED", "Nobody waits any more.")
        if isinstance(error, OperationalError | InterfaceError):
            log.error("database error", method=self.method.name, exc_info=error)
            error = Unavailable("The database does not answer now. Try again later.", reason="DATABASE")
        if not isinstance(error, DomainError) or error.code not in grpc.StatusCode.__members__:
            log.error("unexpected error", method=self.method.name, exc_info=error)
            self._abort("INTERNAL", f"Internal error; the log has it under request id {self.request_id}.")
        status = to_status(error, self.method.domain)
        self._abort(error.code, status.message, (DETAILS_KEY, status.details))

    def _abort(self, code: str, message: str, *metadata: tuple[str, str | bytes]) -> NoReturn:
        self.code = code
        self.context.set_trailing_metadata(((REQUEST_ID_KEY, self.request_id), *metadata))
        abort: Callable[[grpc.StatusCode, str], NoReturn] = self.context.abort
        abort(grpc.StatusCode[code], message)

    def close(self) -> None:
        watchdog.end(self.work)
        self.access.end("call", self.code)


def _until(seconds: float, messages: Iterator[T], context: Any) -> Iterator[T]:
    """The messages of a stream; whoever has more to say when the call's time is up is hung up on."""
    with watchdog.waiting(context.cancel, seconds):
        yield from messages


def _only(messages: Iterator[T], context: Any) -> T:
    """The message of a call that has one; whoever keeps it back is hung up on."""
    with watchdog.waiting(context.cancel, MESSAGE_WITHIN):
        message = next(messages, None)
    if message is None:
        raise InvalidArgument("The call has no message.", reason="MALFORMED")
    return message


def _health(handler: Any) -> "Handler":
    """The health check, without the chain: probes come every second, without a token, and make no log."""

    def check(messages: Iterator[Any], context: grpc.ServicerContext) -> Any:
        try:
            return handler.unary_unary(_only(messages, context), context)
        except InvalidArgument as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, error.message)

    return grpc.stream_unary_rpc_method_handler(check, handler.request_deserializer, handler.response_serializer)


def _log_refusal(details: grpc.HandlerCallDetails, name: str, code: str) -> None:
    """The access line of a call that grpc refuses before any method sees it."""
    metadata: dict[str, Any] = dict(details.invocation_metadata or ())
    unit = access.Unit(access_log, "grpc", name, metadata, request_id=metadata.get(REQUEST_ID_KEY))
    unit.end("call", code, method=details.method[:MAX_METHOD])


def _behavior(handler: Any) -> Callable[..., Any]:
    behavior: Callable[..., Any] = (
        handler.unary_unary or handler.unary_stream or handler.stream_unary or handler.stream_stream
    )
    return behavior


def _no_one(actor: Actor) -> bool:
    return False
