"""Health checks and reflection: what `grpc.*` services answer to callers without a token.

They come every second and may come from anybody, so they have no access line, and neither a thread nor a place of
their own among the calls: a client that opens them and stays silent would keep both.
"""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any

import grpc

from framework.errors import InvalidArgument
from framework.grpc.interceptors import Continuation, Handler, behavior, is_probe, only, until

MOST_PROBES = 16  # open at once; one more ends the one that has been open for longest
SESSION = 30.0  # seconds that a client may go on asking for descriptors


class Probes(grpc.ServerInterceptor):
    """Serves the methods of `grpc.*` in threads beside those of the calls.

    At most `most` are open at once, watchers included: each further one cancels the oldest. A well-behaved check has
    sent its message with its headers, and is answered long before it is the oldest.
    """

    def __init__(self, most: int) -> None:
        self.threads = ThreadPoolExecutor(most + 1, thread_name_prefix="grpc-probe")  # one to cancel the oldest in
        self._most = most
        self._open: dict[grpc.ServicerContext, None] = {}  # the oldest first
        self._lock = threading.Lock()

    def intercept_service(self, continuation: Continuation, details: grpc.HandlerCallDetails) -> "Handler | None":
        handler = continuation(details)
        if handler is None or not is_probe(details.method):
            return handler
        answer: Any = partial(self._answer, handler)
        answer.experimental_thread_pool = self.threads  # grpc looks for it here
        return grpc.stream_stream_rpc_method_handler(answer, handler.request_deserializer, handler.response_serializer)

    def _answer(self, handler: Handler, messages: Iterator[Any], call: grpc.ServicerContext) -> Iterator[Any]:
        with self._place(call):
            answer = behavior(handler)(_request(handler, messages, call), call)
            if handler.response_streaming:
                yield from answer
            else:
                yield answer

    @contextmanager
    def _place(self, call: grpc.ServicerContext) -> Iterator[None]:
        with self._lock:
            if len(self._open) >= self._most:
                oldest = next(iter(self._open))
                del self._open[oldest]
                oldest.cancel()
            self._open[call] = None
        try:
            yield
        finally:
            with self._lock:
                self._open.pop(call, None)


def _request(handler: Handler, messages: Iterator[Any], call: grpc.ServicerContext) -> Any:
    if handler.request_streaming:
        return until(SESSION, messages, call)
    try:
        return only(messages, call)
    except InvalidArgument as error:
        call.abort(grpc.StatusCode.INVALID_ARGUMENT, error.message)
