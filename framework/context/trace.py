"""Spans, if anybody follows them: framework/observe/tracing.py does when the OTEL_* variables ask for it.

Without it, a place that could be a span costs a look at `tracer`, and OpenTelemetry is not imported.
"""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Literal, Protocol, get_args

Kind = Literal["server", "client", "consumer", "internal"]
KINDS: tuple[Kind, ...] = get_args(Kind)


class Span(Protocol):
    """A stretch of work in a trace."""

    def end(self, code: str = "OK", *, name: str = "", **attributes: Any) -> None:
        """It is over: `code` says how, `name` is a better one than it began with."""


class Tracer(Protocol):
    def begin(self, name: str, kind: Kind, carrier: Mapping[str, Any] | None, attributes: Mapping[str, Any]) -> Span:
        """Begin a span inside the one of this thread, or with a carrier, inside the caller's; what follows is in it."""

    def headers(self) -> dict[str, str]:
        """What tells a callee which span it is in."""


tracer: Tracer | None = None
_NOTHING = nullcontext()


def begin(name: str, kind: Kind, carrier: Mapping[str, Any] | None = None) -> Span | None:
    """A span that `end` ends; None when nobody follows."""
    return None if tracer is None else tracer.begin(name, kind, carrier, {})


def span(name: str, kind: Kind = "internal", **attributes: Any) -> AbstractContextManager[None]:
    """What is done inside is a span; an exception ends it with the exception's class."""
    return _NOTHING if tracer is None else _span(tracer, name, kind, attributes)


def headers() -> dict[str, str]:
    """What travels with a call or a task, so that it joins this trace."""
    return {} if tracer is None else tracer.headers()


@contextmanager
def _span(tracer: Tracer, name: str, kind: Kind, attributes: Mapping[str, Any]) -> Iterator[None]:
    started, code = tracer.begin(name, kind, None, attributes), "OK"
    try:
        yield
    except BaseException as error:
        code = type(error).__name__
        raise
    finally:
        started.end(code)
