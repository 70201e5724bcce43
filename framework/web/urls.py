"""HTTP of domains: `<domain>/urls.py` is served under `/<domain>/`, and each view says who may use it.

    @allow(service_or_staff)
    def export(request): ...

    urlpatterns = [path("export", export), path("", marked(anyone, include("package.urls")))]

A refusal (DomainError) is answered as JSON with the status that fits; framework.web.middleware answers for stores that
are away.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import wraps
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import URLPattern, URLResolver, include, path

from framework import context, discovery
from framework.actor import NOBODY, Rule, allow, of_user, require
from framework.data.outage import RETRY_AFTER
from framework.errors import DomainError, InvalidArgument

View = Callable[..., HttpResponse]
STATUSES = {
    "INVALID_ARGUMENT": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "ALREADY_EXISTS": 409,
    "ABORTED": 409,
    "FAILED_PRECONDITION": 409,
    "RESOURCE_EXHAUSTED": 429,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}


def join() -> list[URLResolver]:
    """The routes of all domains. Raises ImproperlyConfigured for a view that does not say who may use it."""
    found = []
    for module in discovery.modules("urls"):
        for pattern in _views(module.urlpatterns):
            rule: Rule | None = getattr(pattern.callback, "allowed", None)
            if rule is None:
                raise ImproperlyConfigured(
                    f"{module.__name__}: {pattern.pattern} does not declare who may use it:"
                    " mark its view with @allow(...) of framework.actor."
                )
            pattern.callback = _guarded(pattern.callback, rule)
        found.append(path(f"{module.__name__.split('.')[-2]}/", include(module)))
    return found


def marked(rule: Rule, included: Any) -> Any:
    """The included URLs of a package, each of whose views the rule is declared for."""
    module = included[0]
    for pattern in _views(getattr(module, "urlpatterns", module)):
        pattern.callback = allow(rule)(pattern.callback)
    return included


def _views(patterns: Iterable[URLPattern | URLResolver]) -> Iterator[Any]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from _views(pattern.url_patterns)
        else:
            yield pattern


def _guarded(view: View, rule: Rule) -> View:
    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            actor = of_user(request.user) if settings.SESSION_COOKIE_NAME in request.COOKIES else NOBODY
            context.set_actor(actor)
            require(actor, rule)
            return view(request, *args, **kwargs)
        except RecursionError:
            return refusal(InvalidArgument("The request is nested too deep.", reason="MALFORMED"))
        except DomainError as error:
            return refusal(error)

    return answer


def refusal(error: DomainError) -> JsonResponse:
    """The error as JSON: code, reason, message, fields and the request id."""
    answer = {"code": error.code, "reason": error.reason, "message": error.message, "fields": error.fields}
    status = STATUSES.get(error.code, 500)
    headers = {"Retry-After": str(RETRY_AFTER)} if status in (429, 503) else {}
    return JsonResponse(answer | {"requestId": context.request_id()}, status=status, headers=headers)
