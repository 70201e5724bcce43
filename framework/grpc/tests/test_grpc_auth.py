import base64
import hashlib
import hmac
import json

import grpc
import pytest
from django.core.cache import cache

from framework import context
from framework.actor import NOBODY, Actor
from framework.grpc import assertion
from framework.grpc.auth import parse_tokens
from framework.grpc.channel import MAX_ATTEMPTS
from framework.grpc.errors import from_call
from framework.grpc.tests import probe

KEY = assertion.key_of(probe.TOKEN)
USER = Actor(user_id=7, is_staff=False)
STAFF = Actor(user_id=8, is_staff=True)


@pytest.fixture(autouse=True)
def _empty_cache():
    cache.clear()


def vouched(value):
    return (*probe.bearer(), (assertion.METADATA_KEY, value))


def refusal(method, *metadata):
    with pytest.raises(grpc.RpcError) as failed:
        method(probe.Text(), metadata=metadata)
    return failed.value.code().name, from_call(failed.value, "probe").reason


def who(request, call):
    return probe.Text(text=repr(context.actor()))


def test_the_handler_sees_the_service_that_calls(stub, act):
    act(who)

    assert stub.Write(probe.Text(), metadata=probe.bearer()).text == repr(Actor(service="shop"))


def test_two_tokens_of_one_name_are_valid_while_they_rotate(stub):
    stub.Write(probe.Text(), metadata=probe.bearer(probe.TOKEN))
    stub.Write(probe.Text(), metadata=probe.bearer(probe.OLD_TOKEN))


def test_a_token_may_be_kept_as_its_hash():
    digest = hashlib.sha256(b"secret-secret-secret").hexdigest()

    assert parse_tokens(f"a:sha256={digest}, b:other-token-here") == (
        ("a", assertion.key_of("secret-secret-secret")),
        ("b", assertion.key_of("other-token-here")),
    )


@pytest.mark.parametrize("header", ["Bearer wrong", "Bearer ", "Basic YTpi", probe.TOKEN, "Bearer a b", ""])
def test_a_wrong_token_is_refused(stub, header):
    assert refusal(stub.Read, ("authorization", header)) == ("UNAUTHENTICATED", "TOKEN_INVALID")


def test_without_a_token_only_open_methods_answer(stub):
    stub.Read(probe.Text())

    assert refusal(stub.Write) == ("UNAUTHENTICATED", "UNAUTHENTICATED")


def test_a_service_may_not_do_what_users_do(stub):
    assert refusal(stub.AsUser, *probe.bearer()) == ("PERMISSION_DENIED", "PERMISSION_DENIED")


def test_the_user_a_service_vouches_for_acts(stub, act):
    act(who)
    signed = assertion.sign(STAFF, f"/{probe.NAME}/AsUser", KEY)

    assert stub.AsUser(probe.Text(), metadata=vouched(signed)).text == repr(Actor(8, True, "shop"))


def test_the_users_rights_count_and_not_the_services(stub):
    assert refusal(stub.AsStaff, *vouched(assertion.sign(USER, f"/{probe.NAME}/AsStaff", KEY))) == (
        "PERMISSION_DENIED",
        "PERMISSION_DENIED",
    )
    stub.AsStaff(probe.Text(), metadata=vouched(assertion.sign(STAFF, f"/{probe.NAME}/AsStaff", KEY)))
    stub.AsStaff(probe.Text(), metadata=probe.bearer())


def test_a_service_that_calls_for_a_visitor_has_only_a_visitors_rights(stub, act):
    act(who)
    metadata = vouched(assertion.sign(NOBODY, probe.READ, KEY))

    assert stub.Read(probe.Text(), metadata=metadata).text == repr(Actor(service="shop", for_visitor=True))
    for method in ("AsStaff", "AsUser"):
        vouched_for = vouched(assertion.sign(NOBODY, f"/{probe.NAME}/{method}", KEY))
        assert refusal(getattr(stub, method), *vouched_for) == ("UNAUTHENTICATED", "UNAUTHENTICATED")


def test_a_replay_is_refused(stub):
    method = f"/{probe.NAME}/AsUser"
    metadata = vouched(assertion.sign(USER, method, KEY))
    stub.AsUser(probe.Text(), metadata=metadata)

    assert refusal(stub.AsUser, *metadata) == ("UNAUTHENTICATED", "ACTOR_REPLAYED")


def test_an_idempotent_method_accepts_as_many_attempts_as_a_client_makes(stub):
    metadata = vouched(assertion.sign(USER, probe.READ, KEY))
    for _ in range(MAX_ATTEMPTS):
        stub.Read(probe.Text(), metadata=metadata)

    assert refusal(stub.Read, *metadata) == ("UNAUTHENTICATED", "ACTOR_REPLAYED")


def test_an_assertion_for_another_method_is_refused(stub):
    assert refusal(stub.Read, *vouched(assertion.sign(USER, probe.WRITE, KEY))) == (
        "UNAUTHENTICATED",
        "ACTOR_AUDIENCE",
    )


@pytest.mark.parametrize("seconds", [assertion.LIFETIME + 1, -assertion.CLOCK_SKEW - 1])
def test_an_assertion_of_another_time_is_refused(stub, monkeypatch, seconds):
    now = assertion.time.time()
    with monkeypatch.context() as patch:
        patch.setattr(assertion.time, "time", lambda: now - seconds)
        signed = assertion.sign(USER, probe.READ, KEY)

    assert refusal(stub.Read, *vouched(signed)) == ("UNAUTHENTICATED", "ACTOR_EXPIRED")


def test_an_assertion_signed_by_another_service_is_refused(stub):
    signed = assertion.sign(USER, probe.READ, assertion.key_of("somebody-elses-token"))

    assert refusal(stub.Read, *vouched(signed)) == ("UNAUTHENTICATED", "ACTOR_INVALID")


def test_an_assertion_made_staff_by_hand_is_refused(stub):
    payload, signature = assertion.sign(USER, probe.READ, KEY).split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    claims[2] = True
    forged = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()

    assert refusal(stub.Read, *vouched(f"{forged}.{signature}")) == ("UNAUTHENTICATED", "ACTOR_INVALID")


@pytest.mark.parametrize("value", ["", ".", "a.b.c", "a", "ü".encode().hex(), "!.!", "=.=", "A" * 4000])
def test_what_is_no_assertion_is_refused(stub, value):
    assert refusal(stub.Read, *vouched(value)) == ("UNAUTHENTICATED", "ACTOR_INVALID")


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xff",
        b"[" * 2000,
        b"{}",
        b"[]",
        b'["/probe.v1.ProbeService/Write", 2.5e17, false, 1.0, "n"]',
        b'["/probe.v1.ProbeService/Write", "7", false, 1.0, "n"]',
        b'["/probe.v1.ProbeService/Write", 7, false, null, "n"]',
        b'["/probe.v1.ProbeService/Write", 7, false, 1.0, "n", 1]',
        b'["/probe.v1.ProbeService/Write", 9223372036854775808, false, 1.0, "n"]',
        b'["/probe.v1.ProbeService/Write", -1, false, 1.0, "n"]',
        b'["/probe.v1.ProbeService/Write", 7, false, 1%s, "n"]' % (b"0" * 400),
        b'["/probe.v1.ProbeService/Write", 7, false, NaN, "n"]',
    ],
)
def test_a_signed_assertion_that_makes_no_sense_is_refused(stub, payload):
    parts = (payload, hmac.digest(KEY, payload, "sha256"))
    value = ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)

    assert refusal(stub.Write, *vouched(value)) == ("UNAUTHENTICATED", "ACTOR_INVALID")


def test_an_assertion_without_a_token_is_refused(stub):
    signed = assertion.sign(USER, probe.READ, KEY)

    assert refusal(stub.Read, (assertion.METADATA_KEY, signed)) == ("UNAUTHENTICATED", "TOKEN_MISSING")


def test_without_its_memory_of_assertions_the_server_does_not_guess(stub, monkeypatch):
    def fail(*args, **kwargs):
        raise ConnectionError

    monkeypatch.setattr("framework.data.cache.RedisCache.add", fail)

    assert refusal(stub.Read, *vouched(assertion.sign(USER, probe.READ, KEY))) == ("UNAVAILABLE", "NONCE_STORE")
