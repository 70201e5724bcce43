"""Error reports to Sentry: what is logged as an error, with its request id. Imported only with SENTRY_DSN."""

from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from structlog.typing import EventDict

from framework.observe import logs

try:
    import sentry_sdk
    from sentry_sdk.integrations.atexit import AtexitIntegration
    from sentry_sdk.integrations.dedupe import DedupeIntegration
except ImportError:
    raise ImproperlyConfigured(
        "SENTRY_DSN is set, but sentry-sdk is not installed: pip install -r requirements/observability.txt"
    ) from None


def install(**options: Any) -> None:
    """Report errors from now on, in the background.

    Sentry's own integrations stay off: they change Django, Celery and gRPC, and send along requests, queries and the
    values of variables, with what is personal in them.
    """
    sentry_sdk.init(
        dsn=settings.SENTRY_DSN,
        release=settings.RELEASE or None,
        environment=settings.SENTRY_ENVIRONMENT,
        default_integrations=False,
        auto_enabling_integrations=False,
        integrations=[AtexitIntegration(callback=lambda *_: None), DedupeIntegration()],
        include_local_variables=False,
        max_breadcrumbs=0,
        server_name="",
        **options,
    )
    logs.reporters[:] = [report]


def report(event: EventDict) -> None:
    """Send one line of the log."""
    with sentry_sdk.new_scope() as scope:
        for name in ("request_id", "actor", "logger"):
            if event.get(name):
                scope.set_tag(name, event[name])
        error = _exception(event.get("exc_info"))
        if error is None:
            scope.capture_message(str(event.get("event", "")), level="error")
        else:
            scope.capture_exception(error)


def _exception(given: Any) -> BaseException | None:
    if isinstance(given, tuple):
        return given[1]  # type: ignore[no-any-return]
    return given if isinstance(given, BaseException) else None
