"""Who calls: a service by its token or its certificate, perhaps on behalf of a user."""

import hmac
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import grpc
from django.core.cache import cache

from framework.actor import NOBODY, Actor
from framework.errors import Unauthenticated, Unavailable
from framework.grpc import assertion
from framework.grpc.channel import MAX_ATTEMPTS
from framework.grpc.contract import is_idempotent

_HASHED = re.compile(r"sha256=([0-9a-f]{64})")


class Token(NamedTuple):
    """A service's credential: only its SHA-256 is kept."""

    service: str
    digest: bytes


def parse_tokens(text: str) -> tuple[Token, ...]:
    """The tokens in `name:token,name:sha256=<hex>`; a name may have several, so that they can be rotated."""
    pairs = (pair.strip().partition(":") for pair in text.split(",") if pair.strip())
    return tuple(Token(name.strip(), _digest(token.strip())) for name, _, token in pairs)


class Authenticator:
    """Finds the actor of a call from its metadata and its connection."""

    def __init__(self, tokens: tuple[Token, ...], *, mutual_tls: bool = False) -> None:
        self._tokens = tokens
        self._mutual_tls = mutual_tls

    def __call__(self, method: str, metadata: Mapping[str, str | bytes], context: grpc.ServicerContext) -> Actor:
        """Who calls `method`; NOBODY when the call names no one.

        Raises Unauthenticated for a token or an assertion that does not hold, Unavailable when the cache that
        remembers assertions does not answer.
        """
        header = metadata.get("authorization")
        asserted = metadata.get(assertion.METADATA_KEY)
        if header is None:
            if asserted is not None:
                raise Unauthenticated("An actor assertion needs the token it is signed with.", reason="TOKEN_MISSING")
            return self._certified(context)
        token = self._token(str(header))
        if asserted is None:
            return Actor(service=token.service)
        claim = assertion.verify(str(asserted), method, token.digest)
        if claim.user_id is None:  # grants less than the token alone, so a replay gains nothing
            return Actor(service=token.service, for_visitor=True)
        _refuse_replay(claim.nonce, method)
        return Actor(user_id=claim.user_id, is_staff=claim.is_staff, service=token.service)

    def _token(self, header: str) -> Token:
        scheme, _, text = header.partition(" ")
        if scheme.lower() == "bearer":
            presented = assertion.key_of(text.strip())
            for token in self._tokens:
                if hmac.compare_digest(token.digest, presented):
                    return token
        raise Unauthenticated("The service token is not valid.", reason="TOKEN_INVALID")

    def _certified(self, context: grpc.ServicerContext) -> Actor:
        if not self._mutual_tls:
            return NOBODY
        names: Any = context.auth_context().get("x509_common_name", ())  # a list, whatever its stubs say
        name = b"".join(names).decode(errors="replace")
        return Actor(service=name) if name else NOBODY


def _refuse_replay(nonce: str, method: str) -> None:
    """A retry sends the first attempt's metadata again: allowed where calling again is harmless, and not for ever."""
    key = f"grpc-nonce:{nonce}"
    try:
        first = cache.add(key, 1, timeout=assertion.LIFETIME + assertion.CLOCK_SKEW)
        seen_before = not first and (not is_idempotent(method) or cache.incr(key) > MAX_ATTEMPTS)
    except Exception as error:
        raise Unavailable("Cannot tell a call from its replay now.", reason="NONCE_STORE") from error
    if seen_before:
        raise Unauthenticated("The actor assertion was used before.", reason="ACTOR_REPLAYED")


def _digest(token: str) -> bytes:
    hashed = _HASHED.fullmatch(token)
    return bytes.fromhex(hashed.group(1)) if hashed else assertion.key_of(token)
