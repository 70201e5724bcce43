"""/health/live and /health/ready, for balancers and orchestrators."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, JsonResponse

from project import readiness

LIVE = "/health/live"
READY = "/health/ready"


def probe(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Answer probes before the host name, HTTPS and the access line are looked at: they know none of these.

    Live: this process answers; restarting it would help otherwise. Ready: its stores answer too.
    """

    def respond(request: HttpRequest) -> HttpResponse:
        if request.path == LIVE:
            return JsonResponse({"status": "live"})
        if request.path == READY:
            problems = readiness.problems()
            status = "unready" if problems else "ready"
            return JsonResponse({"status": status, "problems": problems}, status=503 if problems else 200)
        return get_response(request)

    return respond
