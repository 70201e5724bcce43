import base64
import contextlib
import hashlib
import hmac
import json
import types

import grpc
import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.core.cache import cache
from structlog.testing import capture_logs

from framework import context
from framework.actor import ALL, NOBODY, Actor
from framework.grpc import assertion, auth
from framework.grpc.auth import Authenticator
from framework.grpc.channel import MAX_ATTEMPTS
from framework.grpc.errors import from_call
from framework.grpc.interceptors import Chain
from framework.grpc.tests import echo
from framework.grpc.tokens import parse_tokens
from framework.testing.grpc import serving

KEY = assertion.key_of(echo.TOKEN)
USER = Actor(user_id=7, is_staff=False)
STAFF = Actor(user_id=8, is_staff=True)
AS_USER = f"/{echo.NAME}/AsUser"


@pytest.fixture(autouse=True)
def _empty_cache():
    cache.clear()


def vouched(value):
    return (*echo.bearer(), (assertion.METADATA_KEY, value))


def refusal(method, *metadata):
    with pytest.raises(grpc.RpcError) as failed:
        method(echo.Text(), metadata=metadata)
    return failed.value.code().name, from_call(failed.value, "echo").reason


def who(request, call):
    return echo.Text(text=repr(context.actor()))


def test_the_handler_sees_the_service_that_calls(stub, act):
    act(who)

    assert stub.Write(echo.Text(), metadata=echo.bearer()).text == repr(Actor(service="shop"))


def test_two_tokens_of_one_name_are_valid_while_they_rotate(stub):
    stub.Write(echo.Text(), metadata=echo.bearer(echo.TOKEN))
    stub.Write(echo.Text(), metadata=echo.bearer(echo.OLD_TOKEN))


def test_a_token_may_be_kept_as_its_hash():
    digest = hashlib.sha256(b"secret-secret-secret").hexdigest()

    assert parse_tokens(f"a:sha256={digest}, b:other-token-here") == (
        ("a", assertion.key_of("secret-secret-secret"), {"*"}),
        ("b", assertion.key_of("other-token-here"), {"*"}),
    )


@pytest.mark.parametrize("header", ["Bearer wrong", "Bearer ", "Basic YTpi", echo.TOKEN, "Bearer a b", ""])
def test_a_wrong_token_is_refused(stub, header):
    assert refusal(stub.Read, ("authorization", header)) == ("UNAUTHENTICATED", "TOKEN_INVALID")


def test_without_a_token_only_open_methods_answer(stub):
    stub.Read(echo.Text())

    assert refusal(stub.Write) == ("UNAUTHENTICATED", "UNAUTHENTICATED")


def test_a_service_may_not_do_what_users_do(stub):
    assert refusal(stub.AsUser, *echo.bearer()) == ("PERMISSION_DENIED", "PERMISSION_DENIED")


def test_the_user_a_service_vouches_for_acts(stub, act):
    act(who)
    signed = assertion.sign(STAFF, f"/{echo.NAME}/AsUser", KEY)

    assert stub.AsUser(echo.Text(), metadata=vouched(signed)).text == repr(Actor(8, True, "shop"))


def test_the_users_rights_count_and_not_the_services(stub):
    assert refusal(stub.AsStaff, *vouched(assertion.sign(USER, f"/{echo.NAME}/AsStaff", KEY))) == (
        "PERMISSION_DENIED",
        "PERMISSION_DENIED",
    )
    stub.AsStaff(echo.Text(), metadata=vouched(assertion.sign(STAFF, f"/{echo.NAME}/AsStaff", KEY)))
    stub.AsStaff(echo.Text(), metadata=echo.bearer())


def test_a_service_that_calls_for_a_visitor_has_only_a_visitors_rights(stub, act):
    act(who)
    metadata = vouched(assertion.sign(NOBODY, echo.READ, KEY))

    assert stub.Read(echo.Text(), metadata=metadata).text == repr(Actor(service="shop", for_visitor=True))
    for method in ("AsStaff", "AsUser"):
        vouched_for = vouched(assertion.sign(NOBODY, f"/{echo.NAME}/{method}", KEY))
        assert refusal(getattr(stub, method), *vouched_for) == ("UNAUTHENTICATED", "UNAUTHENTICATED")


def test_a_replay_is_refused(stub):
    method = f"/{echo.NAME}/AsUser"
    metadata = vouched(assertion.sign(USER, method, KEY))
    stub.AsUser(echo.Text(), metadata=metadata)

    assert refusal(stub.AsUser, *metadata) == ("UNAUTHENTICATED", "ACTOR_REPLAYED")


def test_an_idempotent_method_accepts_as_many_attempts_as_a_client_makes(stub):
    metadata = vouched(assertion.sign(USER, echo.READ, KEY))
    for _ in range(MAX_ATTEMPTS):
        stub.Read(echo.Text(), metadata=metadata)

    assert refusal(stub.Read, *metadata) == ("UNAUTHENTICATED", "ACTOR_REPLAYED")


def test_an_assertion_for_another_method_is_refused(stub):
    assert refusal(stub.Read, *vouched(assertion.sign(USER, echo.WRITE, KEY))) == (
        "UNAUTHENTICATED",
        "ACTOR_AUDIENCE",
    )


@pytest.mark.parametrize("seconds", [assertion.LIFETIME + 1, -assertion.CLOCK_SKEW - 1])
def test_an_assertion_of_another_time_is_refused(stub, monkeypatch, seconds):
    now = assertion.time.time()
    with monkeypatch.context() as patch:
        patch.setattr(assertion.time, "time", lambda: now - seconds)
        signed = assertion.sign(USER, echo.READ, KEY)

    assert refusal(stub.Read, *vouched(signed)) == ("UNAUTHENTICATED", "ACTOR_EXPIRED")


def test_an_assertion_signed_by_another_service_is_refused(stub):
    signed = assertion.sign(USER, echo.READ, assertion.key_of("somebody-elses-token"))

    assert refusal(stub.Read, *vouched(signed)) == ("UNAUTHENTICATED", "ACTOR_INVALID")


def test_an_assertion_made_staff_by_hand_is_refused(stub):
    payload, signature = assertion.sign(USER, echo.READ, KEY).split(".")
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
        b'["/echo.v1.EchoService/Write", 2.5e17, false, 1.0, "n"]',
        b'["/echo.v1.EchoService/Write", "7", false, 1.0, "n"]',
        b'["/echo.v1.EchoService/Write", 7, false, null, "n"]',
        b'["/echo.v1.EchoService/Write", 7, false, 1.0, "n", 1]',
        b'["/echo.v1.EchoService/Write", 7, false, 1.0, "n", [1]]',
        b'["/echo.v1.EchoService/Write", 7, false, 1.0, "n", [], 1]',
        b'["/echo.v1.EchoService/Write", 9223372036854775808, false, 1.0, "n"]',
        b'["/echo.v1.EchoService/Write", -1, false, 1.0, "n"]',
        b'["/echo.v1.EchoService/Write", 7, false, 1%s, "n"]' % (b"0" * 400),
        b'["/echo.v1.EchoService/Write", 7, false, NaN, "n"]',
    ],
)
def test_a_signed_assertion_that_makes_no_sense_is_refused(stub, payload):
    parts = (payload, hmac.digest(KEY, payload, "sha256"))
    value = ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)

    assert refusal(stub.Write, *vouched(value)) == ("UNAUTHENTICATED", "ACTOR_INVALID")


def test_an_assertion_without_a_token_is_refused(stub):
    signed = assertion.sign(USER, echo.READ, KEY)

    assert refusal(stub.Read, (assertion.METADATA_KEY, signed)) == ("UNAUTHENTICATED", "TOKEN_MISSING")


def test_without_its_memory_of_assertions_the_server_does_not_guess(stub, monkeypatch):
    def fail(*args, **kwargs):
        raise ConnectionError

    monkeypatch.setattr("framework.data.cache.RedisCache.add", fail)

    assert refusal(stub.Read, *vouched(assertion.sign(USER, echo.READ, KEY))) == ("UNAVAILABLE", "NONCE_STORE")


# Scopes


def test_scopes_are_read_from_the_third_part():
    (token,) = parse_tokens("shop:0123456789abcdef: catalog + echo.v1.EchoService/Read ")

    assert token == ("shop", assertion.key_of("0123456789abcdef"), {"catalog", "echo.v1.EchoService/Read"})


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("0123456789abcdef", r"must be name:token or name:token:scope\+scope, comma-separated"),
        ("shop:short:*", "each token of 16 characters or more"),
        ("shop:sha256=0123456789:*", "must have 64 lower-case hex digits after sha256="),
        ("shop:0123456789abcdef:", r"scope 1 is not one of \*, .*, in an entry of 'shop'"),
        ("shop:0123456789abcdef:catalog+Secret", r"scope 2 is not one of .*must not contain a colon"),
        ("shop:0123456789abcdef:catalog.write", "scope 1 is not one of"),
        ("shop:0123456789abcdef:assert.everything", "scope 1 is not one of"),
        ("shop:0123456789abcdef:a:b", "scope 1 is not one of"),
        ("shop:certificate:echo+assert", "needs a token to act for users"),
        ("shop:0123456789abcdef:assert", r"let it act for users but call nothing: add \* or a domain"),
    ],
)
def test_tokens_that_cannot_be_read_are_refused_without_being_shown(text, complaint):
    with pytest.raises(ValueError, match=complaint) as refused:
        parse_tokens(f"{text},good:0123456789abcdef")

    assert "0123" not in str(refused.value)
    assert "Secret" not in str(refused.value)


OUT_OF_SCOPE = ("PERMISSION_DENIED", "TOKEN_SCOPE")


@pytest.fixture
def stub_with(act):
    """A stub of a server that knows the token with these scopes."""
    act(who)
    with contextlib.ExitStack() as stack:

        def connect(scopes):
            chain = Chain(Authenticator(parse_tokens(f"shop:{echo.TOKEN}{scopes}")), default_deadline=30)
            address = stack.enter_context(serving(echo.register, chain))
            return echo.Stub(stack.enter_context(grpc.insecure_channel(address)))

        yield connect


@pytest.mark.parametrize(
    ("scopes", "may_read", "may_write"),
    [
        ("", True, True),
        (":*", True, True),
        (":*.read", True, False),
        (":echo", True, True),
        (":echo.read", True, False),
        (":echo.v1.EchoService", True, True),
        (":echo.v1.EchoService/Write", False, True),
        (":catalog+echo.v1.EchoService/Read", True, False),
        (":catalog", False, False),
        (":prob", False, False),
    ],
)
def test_a_token_may_call_what_its_scopes_name(stub_with, scopes, may_read, may_write):
    stub = stub_with(scopes)

    for method, may in ((stub.Read, may_read), (stub.Write, may_write)):
        if may:
            assert method(echo.Text(), metadata=echo.bearer()).text == repr(Actor(service="shop"))
        else:
            assert refusal(method, *echo.bearer()) == OUT_OF_SCOPE


@pytest.mark.parametrize("scopes", ["", ":*", ":echo"])
def test_a_token_without_the_scope_acts_for_no_user(stub_with, scopes):
    assert refusal(stub_with(scopes).AsUser, *vouched(assertion.sign(USER, AS_USER, KEY))) == OUT_OF_SCOPE


@pytest.mark.parametrize("scopes", [":*+assert", ":*+assert.unchecked"])
def test_a_token_without_the_scope_acts_for_no_staff(stub_with, scopes):
    assert refusal(stub_with(scopes).AsUser, *vouched(assertion.sign(STAFF, AS_USER, KEY))) == OUT_OF_SCOPE


def test_a_token_without_the_scope_may_act_for_a_visitor(stub_with):
    answer = stub_with(":echo").Read(echo.Text(), metadata=vouched(assertion.sign(NOBODY, echo.READ, KEY)))

    assert answer.text == repr(Actor(service="shop", for_visitor=True))


# Users


@pytest.fixture
def add_user(transactional_db):
    auth._user.cache_clear()
    users = get_user_model()

    def add(**fields):
        row = users(**{users.USERNAME_FIELD: f"user{len(fields)}@example.com"} | fields)
        row.save()
        return row.pk

    return add


def acting(user_id, *, is_staff=False):
    return vouched(assertion.sign(Actor(user_id=user_id, is_staff=is_staff), AS_USER, KEY))


def test_a_user_who_exists_acts(stub_with, add_user):
    user_id = add_user()

    answer = stub_with(":*+assert").AsUser(echo.Text(), metadata=acting(user_id))

    assert answer.text == repr(Actor(user_id, False, "shop"))


def test_disabled_and_absent_users_do_not_act(stub_with, add_user):
    stub = stub_with(":*+assert")

    for user_id in (add_user(is_active=False), 7):
        assert refusal(stub.AsUser, *acting(user_id)) == ("UNAUTHENTICATED", "USER_INACTIVE")


def test_users_of_another_installation_are_not_looked_up(stub_with, add_user):
    answer = stub_with(":*+assert.unchecked").AsUser(echo.Text(), metadata=acting(7))

    assert answer.text == repr(Actor(7, False, "shop"))


@pytest.mark.parametrize(
    ("asserted", "is_staff", "acts_as_staff"), [(True, True, True), (True, False, False), (False, True, False)]
)
def test_staff_rights_take_both_the_assertion_and_the_user(stub_with, add_user, asserted, is_staff, acts_as_staff):
    user_id = add_user(is_staff=is_staff)

    answer = stub_with(":*+assert.staff").AsUser(echo.Text(), metadata=acting(user_id, is_staff=asserted))

    assert answer.text == repr(Actor(user_id, acts_as_staff, "shop"))


def test_permissions_are_those_of_the_user_here_whatever_the_assertion_says(stub_with, add_user, act):
    user_id = add_user(is_staff=True)
    permission = Permission.objects.get(content_type__app_label="auth", codename="view_group")
    get_user_model().objects.get(pk=user_id).user_permissions.add(permission)
    act(lambda request, call: echo.Text(text=",".join(context.actor().permissions)))
    claim = Actor(user_id=user_id, is_staff=True, permissions=frozenset({"echo.delete_all"}))

    answer = stub_with(":*+assert.staff").AsUser(echo.Text(), metadata=vouched(assertion.sign(claim, AS_USER, KEY)))

    assert answer.text == "auth.view_group"


def test_permissions_of_a_user_of_another_installation_are_asserted_for_the_domain_that_is_called(stub_with):
    claim = Actor(user_id=7, is_staff=True, permissions=frozenset({"echo.change_text", "other.change_text"}))
    metadata = vouched(assertion.sign(claim, AS_USER, KEY))

    answer = stub_with(":*+assert.staff+assert.unchecked").AsUser(echo.Text(), metadata=metadata)

    assert answer.text == repr(Actor(7, True, "shop", permissions=frozenset({"echo.change_text"})))


def test_a_superuser_of_another_installation_has_every_permission(stub_with):
    claim = Actor(user_id=7, is_staff=True, permissions=frozenset({ALL}))

    answer = stub_with(":*+assert.staff+assert.unchecked").AsUser(
        echo.Text(), metadata=vouched(assertion.sign(claim, AS_USER, KEY))
    )

    assert answer.text == repr(claim._replace(service="shop"))


def test_a_user_is_looked_up_again_in_the_next_second(stub_with, add_user, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(auth, "time", types.SimpleNamespace(monotonic=lambda: now[0]))
    user_id, stub = add_user(), stub_with(":*+assert")
    stub.AsUser(echo.Text(), metadata=acting(user_id))
    get_user_model().objects.filter(pk=user_id).update(is_active=False)

    stub.AsUser(echo.Text(), metadata=acting(user_id))
    now[0] += 1
    assert refusal(stub.AsUser, *acting(user_id)) == ("UNAUTHENTICATED", "USER_INACTIVE")


# Wrong tokens


def test_wrong_tokens_are_limited_and_the_right_one_goes_on(stub_with):
    stub = stub_with("")

    refused = [refusal(stub.Read, *echo.bearer("wrong")) for _ in range(auth.WRONG_TOKENS + 2)]

    assert (
        refused
        == [("UNAUTHENTICATED", "TOKEN_INVALID")] * auth.WRONG_TOKENS + [("RESOURCE_EXHAUSTED", "TOKEN_TRIES")] * 2
    )
    stub.Read(echo.Text(), metadata=echo.bearer())


def test_wrong_tokens_are_logged_once_without_the_token():
    wrong = auth._WrongTokens()
    with capture_logs() as logs:
        for _ in range(auth.WRONG_TOKENS + 9):
            wrong.refusal("ipv4:127.0.0.1")

    assert [(line["event"], line["peer"]) for line in logs] == [
        ("wrong service token", "ipv4:127.0.0.1"),
        ("too many wrong service tokens", "ipv4:127.0.0.1"),
    ]


def test_peers_are_counted_apart_within_bounds_and_forgotten_after_a_minute(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(auth, "time", types.SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr(auth, "MAX_PEERS", 2)
    wrong = auth._WrongTokens()

    counted = [wrong._count(peer) for peer in ("a", "b", "c", "d", "a")]
    assert (counted, dict(wrong._counts)) == ([1, 1, 1, 2, 2], {"a": 2, "b": 1, "others": 2})

    now[0] += 60
    assert wrong._count("a") == 1
