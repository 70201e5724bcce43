"""Service tokens, as GRPC_TOKENS lists them. Needs neither grpc nor Django, as the settings check them.

name:token                              may call everything, on its own behalf
name:token:catalog+orders.read          may call these only
name:token:orders+assert                may also act for users, who are looked up here
name:sha256=<hex>:*+assert.staff        the token's hash in place of the token
name:certificate:catalog.read           no token: the certificate of this common name will do
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from framework.grpc.assertion import key_of

EVERYTHING = "*"
ASSERT = "assert"  # act for users of this installation
ASSERT_STAFF = "assert.staff"  # and for those who are staff, with their rights
ASSERT_UNCHECKED = "assert.unchecked"  # act for users who are not looked up: those of another installation
ASSERTING = frozenset({ASSERT, ASSERT_STAFF, ASSERT_UNCHECKED})
CERTIFICATE = "certificate"  # in place of a token
MIN_LENGTH = 16

_CALLING = re.compile(r"\*|\*\.read|[a-z][a-z0-9_]*(\.read|\.v[0-9][a-z0-9]*\.[A-Za-z0-9_]+(/[A-Za-z0-9_]+)?)?")
_HASH = re.compile(r"sha256=([0-9a-f]{64})")


class Token(NamedTuple):
    """A service's credential: only its SHA-256 is kept."""

    service: str
    digest: bytes  # empty for a certificate
    scopes: frozenset[str] = frozenset({EVERYTHING})


def parse_tokens(text: str) -> tuple[Token, ...]:
    """The tokens in `name:token,name:token:scope+scope`; a name may have several, so that they can be rotated.

    Raises ValueError, which says what is wrong but shows no part of what may be a token.
    """
    return tuple(_parse(entry.strip()) for entry in text.split(",") if entry.strip())


def _parse(entry: str) -> Token:
    name, _, rest = entry.partition(":")
    token, scoped, scopes = rest.partition(":")
    name, token = name.strip(), token.strip()
    if not name or (len(token) < MIN_LENGTH and token != CERTIFICATE):
        raise ValueError(
            "must be name:token or name:token:scope+scope, comma-separated,"
            f" each token of {MIN_LENGTH} characters or more"
        )
    found = Token(name, _digest(token), _parse_scopes(name, scopes if scoped else EVERYTHING))
    if not found.digest and found.scopes & ASSERTING:
        raise ValueError(f"{name!r} needs a token to act for users: their assertions are signed with it")
    return found


def _digest(token: str) -> bytes:
    if token == CERTIFICATE:
        return b""
    if not token.startswith("sha256="):
        return key_of(token)
    hashed = _HASH.fullmatch(token)
    if hashed is None:
        raise ValueError("must have 64 lower-case hex digits after sha256=")
    return bytes.fromhex(hashed.group(1))


def _parse_scopes(name: str, text: str) -> frozenset[str]:
    scopes = [scope.strip() for scope in text.split("+")]
    for problem in _problems(scopes):
        raise ValueError(f"{problem}, in an entry of {name!r} (a token itself must not contain a colon)")
    return frozenset(scopes)


def _problems(scopes: list[str]) -> Iterator[str]:
    for number, scope in enumerate(scopes, start=1):
        if scope not in ASSERTING and not _CALLING.fullmatch(scope):
            yield (
                f"scope {number} is not one of *, *.read, <domain>, <domain>.read, <domain>.v1.<Service>,"
                " <domain>.v1.<Service>/<Method>, assert, assert.staff, assert.unchecked"
            )
    if ASSERTING.issuperset(scopes):
        yield "scopes let it act for users but call nothing: add * or a domain"
