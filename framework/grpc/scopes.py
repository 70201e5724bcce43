"""What the scopes of tokens name: everything, a domain, a service or a method of the contracts."""

from collections.abc import Iterable
from functools import cache

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from framework.grpc.contract import changes_nothing, methods
from framework.grpc.tokens import ASSERTING, Token


@cache
def scopes_of(method: str) -> frozenset[str]:
    """Each scope that includes `/catalog.v1.CatalogService/GetProduct`."""
    path = method.strip("/")
    service = path.partition("/")[0]
    domain = service.partition(".")[0]
    reading = {"*.read", f"{domain}.read"} if changes_nothing(method) else set()
    return frozenset({"*", domain, service, path} | reading)


def check(tokens: Iterable[Token], services: Iterable[str]) -> None:
    """Raise ImproperlyConfigured for a certificate that is never asked for, and for a scope of nothing.

    A scope must name something of `services`, the full names of those served here, or a domain that runs elsewhere.
    """
    known = _known(services)
    for token in tokens:
        if not (token.digest or settings.GRPC_TLS_CLIENT_CA):
            raise ImproperlyConfigured(
                f"GRPC_TOKENS lets {token.service!r} in by its certificate, for which nobody is asked: set"
                " GRPC_TLS_CLIENT_CA, or give it a token."
            )
        unknown = token.scopes - known - ASSERTING
        if any(scope.partition(".")[0] not in settings.REMOTE_DOMAINS for scope in unknown):
            raise ImproperlyConfigured(
                f"GRPC_TOKENS gives {token.service!r} a scope that names nothing here. Correct or remove it; there"
                f" are: {', '.join(sorted(known))}."
            )


def _known(services: Iterable[str]) -> set[str]:
    named = {"*"}.union(*(scopes_of(path) for service in services for path in methods(service)))
    return named | {f"{scope}.read" for scope in named if "." not in scope}
