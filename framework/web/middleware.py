"""What every web request passes: the client's address, health checks, the unit of work, failures, headers."""

from collections.abc import Callable, Iterable
from functools import cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import Resolver404, resolve
from django.views.debug import technical_500_response
from django.views.defaults import server_error

from framework import context
from framework.actor import NOBODY, Actor
from framework.data import outage, replica
from framework.errors import Unavailable
from framework.observe import health
from framework.web.urls import refusal

Handler = Callable[[HttpRequest], HttpResponse]
Address = IPv4Address | IPv6Address
Networks = tuple[IPv4Network | IPv6Network, ...]

MAX_PATH = 200  # characters of a path in the log
PAGE = 35.0  # seconds a page may take: the proxy waits no longer
HEALTH = {"/health/live": health.live, "/health/ready": health.ready}
HEADERS = {
    # The admin and GraphiQL have no inline script or style, so injected ones do not run.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " font-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Permissions-Policy": "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
}

log = structlog.get_logger("web")
access_log = structlog.get_logger("access.web")


def unit_of_work(get_response: Handler) -> Handler:
    """Begin the request's unit of work, and write its access line.

    Health checks are answered before: they have neither a host name nor HTTPS, and come every second.
    """

    def respond(request: HttpRequest) -> HttpResponse:
        apply_forwarded(request.META, networks(settings.TRUSTED_PROXIES))
        if answer := HEALTH.get(request.path):
            return answer(request)
        structlog.contextvars.clear_contextvars()
        received = request.headers.get(context.REQUEST_ID_HEADER)
        unit = context.begin("web", "", access_log, request_id=received, carrier=request.headers)
        with context.within(max(PAGE, settings.GRAPHQL_TIMEOUT) - context.age()):
            response = get_response(request)
        response[context.REQUEST_ID_HEADER] = unit.request_id
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        _complete(unit, request, response)
        _remember(unit, response)
        more = {"method": request.method, "path": request.path[:MAX_PATH], "status": response.status_code}
        unit.end("request", unit.code, **more)
        return response

    return respond


def failures(get_response: Handler) -> Handler:
    """Answer 503 while a store is away and when a thread came too late, 400 to bad values, 500 to our mistakes.

    Needs DEBUG_PROPAGATE_EXCEPTIONS, without which Django turns exceptions into pages before they come here.
    """

    def respond(request: HttpRequest) -> HttpResponse:
        if context.age() > settings.GRAPHQL_TIMEOUT:  # nobody waits for it any more, and others do
            return _unavailable(request, Unavailable("The service is unavailable now. Try again later."))
        try:
            return get_response(request)
        except Exception as error:
            if refused := outage.unavailable(error):
                return _unavailable(request, refused)
            if outage.is_bad_value(error):  # as in the address of an admin's list
                log.warning("the database cannot take a value", error=type(error).__name__)
                return HttpResponse("The request has a value that the database cannot take.", status=400)
            log.exception("unexpected error")
            if settings.DEBUG:
                return technical_500_response(request, type(error), error, error.__traceback__)
            return server_error(request)

    return respond


def _unavailable(request: HttpRequest, refused: Unavailable) -> HttpResponse:
    """503 as the view says it, if it has a method `unavailable`; as a page for browsers, as JSON for programs."""
    answer = getattr(_view(request), "unavailable", None)
    if answer:
        response: HttpResponse = answer()
    elif request.get_preferred_type(["application/json", "text/html"]) == "text/html":
        response = HttpResponse(render_to_string("unavailable.html", {"message": refused.message}), status=503)
    else:
        response = refusal(refused)
    response["Retry-After"] = str(outage.RETRY_AFTER)
    return response


def _view(request: HttpRequest) -> object:
    try:
        return resolve(request.path).func
    except Resolver404:
        return None


def _complete(unit: context.UnitOfWork, request: HttpRequest, response: HttpResponse) -> None:
    """Fill in what a view of Django has not set: its route for a name, its status for a code, and its user."""
    if not unit.name:
        unit.name = _page(request)
    if not unit.code:
        unit.code = "OK" if response.status_code < 400 else f"HTTP_{response.status_code}"
    if unit.actor == NOBODY and hasattr(request, "_cached_user"):  # nobody is looked up for the log
        unit.actor = Actor(user_id=request.user.pk)  # for the log: permissions would cost queries


def _remember(unit: context.UnitOfWork, response: HttpResponse) -> None:
    """Have this browser's next reads go to the primary, as the replica may not have its writes yet."""
    if unit.wrote and replica.ALIAS in settings.DATABASES:
        response.set_cookie(
            replica.COOKIE, "1", replica.COOKIE_SECONDS, httponly=True, secure=settings.SECURE, samesite="Lax"
        )


def _page(request: HttpRequest) -> str:
    if request.resolver_match:
        return request.resolver_match.view_name
    return "static" if request.path.startswith(settings.STATIC_URL) else "unknown"


@cache
def networks(names: Iterable[str]) -> Networks:
    return tuple(ip_network(name) for name in names)


def apply_forwarded(environ: dict[str, Any], trusted: Networks) -> None:
    """Set REMOTE_ADDR and the scheme to what a trusted proxy forwards; remove the headers in any case."""
    hops = environ.pop("HTTP_X_FORWARDED_FOR", "").split(",")
    scheme = environ.pop("HTTP_X_FORWARDED_PROTO", "").rpartition(",")[2].strip()
    peer = _address(environ.get("REMOTE_ADDR", "")) if trusted else None
    if peer is None or not _is_in(peer, trusted):
        return
    environ["REMOTE_ADDR"] = str(_client(peer, hops, trusted))
    if scheme in ("http", "https"):
        environ["wsgi.url_scheme"] = scheme


def _client(peer: Address, hops: list[str], trusted: Networks) -> Address:
    """The last address that a trusted proxy has seen itself; clients may have written what is left of it."""
    client = peer
    for hop in reversed(hops):
        address = _address(hop.strip())
        if address is None:
            break
        client = address
        if not _is_in(address, trusted):
            break
    return client


def _address(text: str) -> Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _is_in(address: Address, trusted: Networks) -> bool:
    return any(address in network for network in trusted)
