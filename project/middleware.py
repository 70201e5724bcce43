"""The unit of work of a web request: its id, its access line, its deadline."""

import time
from collections.abc import Callable

import structlog
from django.http import HttpRequest, HttpResponse

from apps.common import call

log = structlog.get_logger("access.web")


def unit_of_work(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Accept or make the request id, hand it back in the response, log one line a request."""

    def respond(request: HttpRequest) -> HttpResponse:
        structlog.contextvars.clear_contextvars()
        identifier = call.start(request.headers.get(call.REQUEST_ID_HEADER))
        started = time.perf_counter()
        response = get_response(request)
        response[call.REQUEST_ID_HEADER] = identifier
        log.info(
            "request",
            method=request.method,
            path=request.path,
            status=response.status_code,
            ms=round((time.perf_counter() - started) * 1000, 1),
        )
        return response

    return respond
