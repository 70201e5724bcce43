"""Traces by OpenTelemetry: the tracer of framework/context/trace.py. Imported only when the settings ask for it."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from framework.context import trace

try:
    from opentelemetry import context
    from opentelemetry import trace as otel
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
except ImportError:
    raise ImproperlyConfigured(
        "The OTEL_* variables ask for traces, but OpenTelemetry is not installed:"
        " pip install -r requirements/observability.txt"
    ) from None

PROPAGATOR = TraceContextTextMapPropagator()
KINDS: Mapping[trace.Kind, otel.SpanKind] = {kind: otel.SpanKind[kind.upper()] for kind in trace.KINDS}
OUR_FAULT = ("INTERNAL", "INTERNAL_SERVER_ERROR", "UNKNOWN", "UNAVAILABLE", "DEADLINE_EXCEEDED", "HTTP_5")


def install() -> None:
    """Make traces from now on, and send them in the background."""
    trace.tracer = Tracer(provider(BatchSpanProcessor(exporter())))


def provider(processor: Any) -> TracerProvider:
    """What samples as OTEL_TRACES_SAMPLER says, and hands spans to the processor."""
    about = {"service.name": settings.OTEL_SERVICE_NAME, "service.version": settings.RELEASE}
    made = TracerProvider(resource=Resource.create({name: value for name, value in about.items() if value}))
    made.add_span_processor(processor)
    return made


def exporter() -> SpanExporter:
    if settings.TRACES == "console":
        return ConsoleSpanExporter()
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    pairs = (pair.partition("=") for pair in settings.OTEL_HEADERS.split(",") if pair.strip())
    return OTLPSpanExporter(headers={name.strip(): value.strip() for name, _, value in pairs} or None)


class Span:
    """A span that is the current one of its thread until it ends."""

    __slots__ = ("_span", "_token")

    def __init__(self, span: otel.Span) -> None:
        self._span = span
        self._token = context.attach(otel.set_span_in_context(span))

    def end(self, code: str = "OK", *, name: str = "", **attributes: Any) -> None:
        if name:
            self._span.update_name(name)
        self._span.set_attributes({"code": code, **attributes})
        if code.startswith(OUR_FAULT) or not code.isupper():  # a refusal is no error; an exception's class is one
            self._span.set_status(otel.StatusCode.ERROR, code)  # the exception's text may hold what traces must not
        self._span.end()
        context.detach(self._token)


class Tracer:
    """OpenTelemetry as framework/context/trace.py wants it."""

    def __init__(self, made: TracerProvider) -> None:
        self._tracer = made.get_tracer("project")

    def begin(
        self, name: str, kind: trace.Kind, carrier: Mapping[str, Any] | None, attributes: Mapping[str, Any]
    ) -> Span:
        inside = None if carrier is None else PROPAGATOR.extract(_lower(carrier), context=context.Context())
        return Span(self._tracer.start_span(name, inside, KINDS[kind], attributes))

    def headers(self) -> dict[str, str]:
        found: dict[str, str] = {}
        PROPAGATOR.inject(found)
        return found


def _lower(carrier: Mapping[str, Any]) -> dict[str, str]:
    """The two headers that matter, of a request's, a call's or a task's."""
    return {name: str(carrier[name]) for name in ("traceparent", "tracestate") if carrier.get(name)}
