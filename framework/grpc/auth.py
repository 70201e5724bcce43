"""Who calls: a service by its token or its certificate, perhaps on behalf of a user.

A call may do what the token's scopes allow (`framework.grpc.tokens`) and, on behalf of a user, what the user may.
The rights of a user come from this installation's own users, unless the token says that they live elsewhere.
"""

import hashlib
import hmac
import threading
import time
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import grpc
import structlog
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.cache import cache as store
from django.db import DEFAULT_DB_ALIAS, close_old_connections

from framework.actor import NOBODY, Actor, of_user
from framework.errors import DomainError, PermissionDenied, ResourceExhausted, Unauthenticated, Unavailable
from framework.grpc import assertion
from framework.grpc.channel import MAX_ATTEMPTS
from framework.grpc.contract import is_idempotent
from framework.grpc.scopes import scopes_of
from framework.grpc.tokens import ASSERT_STAFF, ASSERT_UNCHECKED, ASSERTING, Token, parse_tokens

WRONG_TOKENS = 20  # a minute and peer that are answered UNAUTHENTICATED; further ones are RESOURCE_EXHAUSTED
MAX_PEERS = 1000  # that are counted by themselves; further ones are counted together

log = structlog.get_logger("grpc")


class Authenticator:
    """Finds the actor of a call from its metadata and its connection."""

    def __init__(self, tokens: tuple[Token, ...]) -> None:
        self._tokens = tokens
        self._wrong_tokens = _WrongTokens()

    def __call__(self, method: str, metadata: Mapping[str, str | bytes], context: grpc.ServicerContext) -> Actor:
        """Who calls `method`; NOBODY when the call names no one.

        Raises Unauthenticated for a token or an assertion that does not hold and for a user who is disabled or
        absent, PermissionDenied for what the token's scopes do not include, ResourceExhausted for a peer with too many
        wrong tokens, Unavailable when the cache that remembers assertions does not answer.
        """
        header = metadata.get("authorization")
        asserted = metadata.get(assertion.METADATA_KEY)
        if header is None and asserted is not None:
            raise Unauthenticated("An actor assertion needs the token it is signed with.", reason="TOKEN_MISSING")
        token = self._certified(context) if header is None else self._token(str(header), context)
        if token is None:
            return NOBODY
        if token.scopes.isdisjoint(scopes_of(method)):
            raise _out_of_scope(f"The token of {token.service} may not call {method}.")
        if asserted is None:
            return Actor(service=token.service)
        return _asserted(token, assertion.verify(str(asserted), method, token.digest), method)

    def _token(self, header: str, context: grpc.ServicerContext) -> Token:
        scheme, _, text = header.partition(" ")
        if scheme.lower() == "bearer":
            presented = hashlib.sha256(text.strip().encode()).digest()
            for token in self._tokens:
                if hmac.compare_digest(token.digest, presented):
                    return token
        raise self._wrong_tokens.refusal(context.peer().rpartition(":")[0])

    def _certified(self, context: grpc.ServicerContext) -> Token | None:
        names: Any = context.auth_context().get("x509_common_name", ())  # a list, whatever its stubs say
        name = b"".join(names).decode(errors="replace")
        return next((token for token in self._tokens if not token.digest and token.service == name), None)


class _WrongTokens:
    """Counts the wrong tokens of each peer, within the current minute.

    The right token is always let in: peers may share the address of a proxy, and nobody shall lock others out.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._minute = 0
        self._counts: Counter[str] = Counter()

    def refusal(self, peer: str) -> DomainError:
        """The error for one more wrong token; the first of a minute and peer is logged, without the token."""
        count = self._count(peer)
        if count == 1:
            log.warning("wrong service token", peer=peer)
        if count == WRONG_TOKENS + 1:
            log.warning("too many wrong service tokens", peer=peer)
        if count > WRONG_TOKENS:
            return ResourceExhausted("Too many wrong tokens. Try again in a minute.", reason="TOKEN_TRIES")
        return Unauthenticated("The service token is not valid.", reason="TOKEN_INVALID")

    def _count(self, peer: str) -> int:
        with self._lock:
            minute = int(time.monotonic() // 60)
            if minute != self._minute:
                self._minute, self._counts = minute, Counter()
            if len(self._counts) >= MAX_PEERS and peer not in self._counts:
                peer = "others"
            self._counts[peer] += 1
            return self._counts[peer]


def from_settings() -> Authenticator:
    """Knows the tokens of GRPC_TOKENS."""
    return Authenticator(parse_tokens(settings.GRPC_TOKENS))


def _asserted(token: Token, claim: assertion.Assertion, method: str) -> Actor:
    """The user or visitor for whom the service calls, with no more rights than it may assert and the user has."""
    if claim.user_id is None:  # has fewer rights than the token alone, so that neither scope nor nonce matter
        return Actor(service=token.service, for_visitor=True)
    if token.scopes.isdisjoint(ASSERTING):
        raise _out_of_scope(f"The token of {token.service} may not act for users.")
    if claim.is_staff and ASSERT_STAFF not in token.scopes:
        raise _out_of_scope(f"The token of {token.service} may not act for staff.")
    _refuse_replay(claim.nonce, method)
    user = _claimed(claim) if ASSERT_UNCHECKED in token.scopes else _user(claim.user_id, int(time.monotonic()))
    if not (claim.is_staff and user.is_staff):
        return Actor(user_id=claim.user_id, service=token.service)
    return user._replace(service=token.service)


def _claimed(claim: assertion.Assertion) -> Actor:
    return Actor(user_id=claim.user_id, is_staff=claim.is_staff, permissions=claim.permissions)


@lru_cache(maxsize=1000)
def _user(user_id: int, second: int) -> Actor:
    """The user with their rights, remembered for the rest of the second.

    Raises Unauthenticated for a user who is disabled or does not exist. Asks no replica, which may lag, and gives the
    connection back, as the call may end before the servicer does so.
    """
    users = get_user_model()._default_manager.using(DEFAULT_DB_ALIAS)
    try:
        user = users.filter(pk=user_id, is_active=True).first()
        if user is None:
            raise Unauthenticated("The user is disabled or does not exist.", reason="USER_INACTIVE")
        return of_user(user)
    finally:
        close_old_connections()


def _out_of_scope(message: str) -> PermissionDenied:
    return PermissionDenied(f"{message} Add a scope to GRPC_TOKENS.", reason="TOKEN_SCOPE")


def _refuse_replay(nonce: str, method: str) -> None:
    """A retry sends the first attempt's metadata again: allowed where calling again is harmless, and not for ever."""
    key = f"grpc-nonce:{nonce}"
    try:
        first = store.add(key, 1, timeout=assertion.LIFETIME + assertion.CLOCK_SKEW)
        seen_before = not first and (not is_idempotent(method) or store.incr(key) > MAX_ATTEMPTS)
    except Exception as error:
        raise Unavailable("Cannot tell a call from its replay now.", reason="NONCE_STORE") from error
    if seen_before:
        raise Unauthenticated("The actor assertion was used before.", reason="ACTOR_REPLAYED")
