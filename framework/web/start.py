"""The page at `/` in development: what runs, the doors, the demo log-ins, the docs and the versions."""

import platform
from collections.abc import Iterator
from importlib.metadata import version

from django.conf import settings
from django.db import connection
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from framework import discovery
from framework.observe import health

PACKAGES = ("Django", "graphene", "grpcio", "celery", "django-allauth")


def start(request: HttpRequest) -> HttpResponse:
    """Under DEBUG only: without it there is no page here."""
    if not settings.DEBUG:
        raise Http404
    silent = health.silent()
    context = {
        "project": settings.PROJECT_NAME,
        "parts": {part: "is silent" if part in silent else "works" for part in health.SILENCE},
        "domains": [*settings.DOMAINS, *(f"{name} (elsewhere)" for name in settings.REMOTE_DOMAINS)],
        "grpc": f"{settings.HOST}:{settings.GRPC_PORT}",
        "logins": dict(logins()),
        "docs": sorted(path.name for path in (settings.BASE_DIR / "docs").glob("*.md")),
        "versions": {"Python": platform.python_version(), connection.display_name: _database()}
        | {name: version(name) for name in PACKAGES},
    }
    return render(request, "start.html", context)


def logins() -> Iterator[tuple[str, str]]:
    """Address and password of each demo user."""
    for module in discovery.modules("demo"):
        yield from getattr(module, "LOGINS", {}).items()


def _database() -> str:
    return ".".join(map(str, connection.get_database_version()))
