"""Whether this process lives, and whether it can do its work: for load balancers and container engines."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse

from framework.observe import readiness


def live(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"status": "ok"})


def ready(request: HttpRequest) -> JsonResponse:
    """503 while something that every request needs is missing; says what, and no more.

    What only background work misses is told, and leaves the process ready.
    """
    problems = readiness.problems()
    answer: dict[str, Any] = {"status": "unavailable", "problems": problems} if problems else {"status": "ok"}
    if degraded := readiness.degraded():
        answer["degraded"] = degraded
    return JsonResponse(answer, status=503 if problems else 200)


def probe(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Answer before the host name, HTTPS and the access line are looked at: who probes knows none of these."""
    views = {"/health/live": live, "/health/ready": ready}

    def respond(request: HttpRequest) -> HttpResponse:
        view = views.get(request.path)
        return view(request) if view else get_response(request)

    return respond
