"""The unit of work of a web request: its id, its access line, its deadline."""

from collections.abc import Callable

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse

from framework import context
from framework.actor import NOBODY, Actor
from framework.data import replica

log = structlog.get_logger("access.web")

MAX_PATH = 200  # characters of a path in the log
PAGE = 35.0  # seconds a page may take: the proxy waits no longer


def unit_of_work(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Accept or make the request id, hand it back in the response, log one line a request."""

    def respond(request: HttpRequest) -> HttpResponse:
        structlog.contextvars.clear_contextvars()
        received = request.headers.get(context.REQUEST_ID_HEADER)
        unit = context.begin("web", "", log, request_id=received, carrier=request.headers)
        with context.within(max(PAGE, settings.GRAPHQL_TIMEOUT) - context.age()):
            response = get_response(request)
        response[context.REQUEST_ID_HEADER] = unit.request_id
        _complete(unit, request, response)
        _remember(unit, response)
        unit.end(
            "request",
            unit.code,
            method=request.method,
            path=request.path[:MAX_PATH],
            status=response.status_code,
        )
        return response

    return respond


def _complete(unit: context.UnitOfWork, request: HttpRequest, response: HttpResponse) -> None:
    """What the view has not said: pages of Django have a route for a name, a status for a code, and a user."""
    if not unit.name:
        unit.name = _page(request)
    if not unit.code:
        unit.code = "OK" if response.status_code < 400 else f"HTTP_{response.status_code}"
    if unit.actor == NOBODY and hasattr(request, "_cached_user"):  # nobody is looked up for the log
        unit.actor = Actor(user_id=request.user.pk)  # for the log: permissions would cost queries


def _remember(unit: context.UnitOfWork, response: HttpResponse) -> None:
    """A browser that has just written shall see it, whichever process or replica answers next."""
    if unit.wrote and replica.ALIAS in settings.DATABASES:
        response.set_cookie(
            replica.COOKIE, "1", replica.COOKIE_SECONDS, httponly=True, secure=settings.SECURE, samesite="Lax"
        )


def _page(request: HttpRequest) -> str:
    if request.resolver_match:
        return request.resolver_match.view_name
    return "static" if request.path.startswith(settings.STATIC_URL) else "unknown"
