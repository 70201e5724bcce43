"""What happens around every call, in this order; unary and streaming alike.

1. request id    taken over or made, on every log line, back in the trailing metadata
2. deadline      the client's, or a default; past it, queries are cancelled (work.py)
3. access line   logger `access.grpc`: name (the method), code, milliseconds, queries, actor; and the span (access.py)
4. errors        DomainError -> status with details; anything else -> INTERNAL, masked and logged
5. authentication, then the method's rule (`@allow`); no rule, no call
6. parsing       bytes that are no message are the client's fault: INVALID_ARGUMENT
7. connections   given back when the call ends, and while a stream waits for its reader
"""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, NoReturn, TypeAlias

import grpc
import structlog
from django.db import InterfaceError, OperationalError, close_old_connections
from google.protobuf.message import DecodeError

from apps.common import access, call
from apps.common.actor import Actor, Rule, anyone, require
from apps.common.errors import DomainError, InvalidArgument, Unavailable
from apps.common.grpc.auth import Authenticator
from apps.common.grpc.contract import changes_nothing
from apps.common.grpc.errors import DETAILS_KEY, to_status
from apps.common.work import watchdog

REQUEST_ID_KEY = call.REQUEST_ID_HEADER.lower()
FRESH_KEY = call.FRESH_HEADER.lower()
HEALTH = "/grpc.health.v1.Health/"
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
UNKNOWN = "unknown"  # names that callers make up must not become names of metrics
MAX_METHOD = 200  # characters of a method in the log
_NEVER = 1e9  # seconds; grpc reports the lack of a deadline as more than this

access_log = structlog.get_logger("access.grpc")
log = structlog.get_logger("grpc")


class Chain(grpc.ServerInterceptor):
    """The one interceptor of the server. Health checks pass it by: they come every second, without a token.

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
        if handler is None or details.method.startswith(HEALTH):
            return handler
        wrapped = self._methods[details.method] = _Method(self, details.method, handler).handler()
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
        """The handler to serve instead. It parses the request itself, as grpc answers INTERNAL when that fails."""
        kinds = {
            (False, False): grpc.unary_unary_rpc_method_handler,
            (False, True): grpc.unary_stream_rpc_method_handler,
            (True, False): grpc.stream_unary_rpc_method_handler,
            (True, True): grpc.stream_stream_rpc_method_handler,
        }
        kind = kinds[self.inner.request_streaming, self.inner.response_streaming]
        answer: Any = self.answer
        if self.inner.response_streaming:
            answer = partial(self.answer_stream)
            answer.experimental_thread_pool = self.chain.stream_threads  # grpc looks for it here
        return kind(answer, response_serializer=self.inner.response_serializer)

    def answer(self, request: Any, context: grpc.ServicerContext) -> Any:
        unit = _Unit(self, context)
        try:
            unit.admit()
            return self.behavior(self.parse(request), context)
        except Exception as error:
            unit.fail(error)
        finally:
            unit.close()

    def answer_stream(self, request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        unit = _Unit(self, context)
        try:
            unit.admit()
            for response in self.behavior(self.parse(request), context):
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

    def parse(self, request: Any) -> Any:
        if self.inner.request_streaming:
            return map(self._parse, request)
        return self._parse(request)

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
