"""On whose behalf a service calls: asserted by the service, signed, short-lived, for one method, accepted once.

It travels in metadata as `payload.signature`, both base64url. The key is the SHA-256 of the caller's token:
both sides have it, the callee need not keep the token itself, and no service can sign in another's name.
"""

import base64
import binascii
import hashlib
import hmac
import json
import secrets
import time
from types import NoneType
from typing import Any, NamedTuple

from framework.actor import ALL, Actor
from framework.errors import Unauthenticated

METADATA_KEY = "x-actor"
LIFETIME = 60  # seconds
CLOCK_SKEW = 5  # seconds the caller's clock may be ahead
# Of the payload's values: method, user id (null for a visitor), whether staff, seconds since 1970, nonce, permissions.
_KINDS = ((str,), (int, NoneType), (bool,), (int, float), (str,), (list,))
_TOO_LARGE = 2**63  # for an id, and for arithmetic with seconds


class Assertion(NamedTuple):
    """Who acts, with which rights at most, and the nonce that tells this call from its replay."""

    user_id: int | None  # None: a visitor who is not logged in
    is_staff: bool
    nonce: str
    permissions: frozenset[str] = frozenset()  # of a staff user, within the domain that is called


def key_of(token: str) -> bytes:
    """The signing key of a service token; also what the callee keeps instead of the token."""
    return hashlib.sha256(token.encode()).digest()


def sign(actor: Actor, method: str, key: bytes) -> str:
    """The assertion that a call of `method` (`/catalog.v1.CatalogService/GetProduct`) is made for the actor.

    Of the actor's permissions it has those of the domain that is called (`catalog.change_product`), and ALL.
    """
    domain = method.strip("/").partition(".")[0]
    permissions = sorted(name for name in actor.permissions if name == ALL or name.startswith(f"{domain}."))
    values = [method, actor.user_id, actor.is_staff, round(time.time(), 3), secrets.token_urlsafe(12)]
    payload = json.dumps([*values, permissions] if permissions else values, separators=(",", ":")).encode()
    return f"{_encode(payload)}.{_encode(_mac(payload, key))}"


def verify(value: str, method: str, key: bytes) -> Assertion:
    """What the caller asserts.

    Raises Unauthenticated when it was tampered with, is too old or too new, or was made for another method.
    The caller of this function has to check that the nonce was not used before.
    """
    try:
        payload, signature = (_decode(part) for part in value.split("."))
    except (ValueError, binascii.Error):
        raise Unauthenticated("The actor assertion is malformed.", reason="ACTOR_INVALID") from None
    if not hmac.compare_digest(signature, _mac(payload, key)):
        raise Unauthenticated("The actor assertion's signature is wrong.", reason="ACTOR_INVALID")
    audience, user_id, is_staff, issued_at, nonce, permissions = _values(payload)
    if audience != method:
        raise Unauthenticated("The actor assertion was made for another method.", reason="ACTOR_AUDIENCE")
    if not -CLOCK_SKEW <= time.time() - issued_at <= LIFETIME:
        raise Unauthenticated("The actor assertion has expired.", reason="ACTOR_EXPIRED")
    return Assertion(user_id, is_staff, nonce, frozenset(permissions))


def _values(payload: bytes) -> list[Any]:
    """The payload's six values, checked, as a signature does not make them sensible."""
    try:
        values = json.loads(payload)
    except (ValueError, RecursionError):
        values = None
    if type(values) is list and len(values) == len(_KINDS) - 1:
        values.append([])
    if not _as_agreed(values):
        raise Unauthenticated("The actor assertion is malformed.", reason="ACTOR_INVALID")
    return list(values)


def _as_agreed(values: Any) -> bool:
    if type(values) is not list or len(values) != len(_KINDS):
        return False
    if any(type(value) not in kinds for value, kinds in zip(values, _KINDS, strict=True)):
        return False
    if any(type(name) is not str for name in values[-1]):
        return False
    return all(0 < value < _TOO_LARGE for value in values if type(value) in (int, float))


def _mac(payload: bytes, key: bytes) -> bytes:
    return hmac.digest(key, payload, "sha256")


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
