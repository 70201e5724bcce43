"""Whether this process lives, and whether it can do its work: for load balancers and container engines."""

from django.http import HttpRequest, JsonResponse

from project import readiness


def live(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"status": "ok"})


def ready(request: HttpRequest) -> JsonResponse:
    """503 while something that every request needs is missing; says what, and no more."""
    problems = readiness.problems()
    answer = {"status": "unavailable", "problems": problems} if problems else {"status": "ok"}
    return JsonResponse(answer, status=503 if problems else 200)
