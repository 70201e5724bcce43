"""Accounts over HTTP, as the single-page app uses them."""

import base64
import contextlib
import hashlib
import hmac
import struct
import time
from datetime import timedelta

import pytest
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.sessions.models import Session
from django.core import mail
from django.core.cache import cache
from django.db import OperationalError, connection
from django.utils import timezone
from redis.exceptions import ConnectionError as RedisConnectionError

from apps.accounts import models, repository, tasks
from apps.accounts.adapter import Adapter
from apps.accounts.tests.factories import PASSWORD, StaffFactory, UserFactory
from framework.web.sessions import LIMITS

pytestmark = pytest.mark.django_db
NEW = "another-battery-staple"
EMAIL = "ann@example.com"


def flows(answer):
    return [flow["id"] for flow in answer["data"]["flows"] if flow.get("is_pending")]


def errors(answer):
    return {(error.get("param"), error["code"]) for error in answer["errors"]}


def totp(secret):
    """The code of now, after RFC 6238."""
    counter = struct.pack(">Q", int(time.time()) // 30)
    digest = hmac.digest(base64.b32decode(secret), counter, hashlib.sha1)
    offset = digest[-1] & 15
    return f"{(struct.unpack('>I', digest[offset : offset + 4])[0] & 0x7FFFFFFF) % 10**6:06}"


def test_register_verify_and_be_somebody(app):
    page = app()
    status, answer = page("POST", "/auth/signup", {"email": "Ann@Example.com", "password": PASSWORD})

    assert (status, flows(answer)) == (401, ["verify_email"])
    assert page.me() is None
    status, _ = page("POST", "/auth/email/verify", {"key": page.code()})
    assert status == 200
    assert page.me() == {"email": EMAIL, "isStaff": False}
    assert [message.to for message in mail.outbox] == [[EMAIL]]


def test_only_a_verified_address_logs_in(app):
    UserFactory(email=EMAIL, verified=False)
    page = app()
    status, answer = page.log_in(EMAIL, PASSWORD)

    assert (status, flows(answer)) == (401, ["verify_email"])
    assert page.me() is None


@pytest.mark.parametrize("email", [EMAIL, "ANN@EXAMPLE.COM"])
def test_log_in_and_out(app, email):
    UserFactory(email=EMAIL)
    page = app()

    assert page.log_in(email, PASSWORD)[0] == 200
    assert page.me()["email"] == EMAIL
    assert page("DELETE", "/auth/session")[0] == 401
    assert page.me() is None


def test_a_wrong_password_and_an_unknown_address_are_answered_alike(app):
    UserFactory(email=EMAIL)

    assert app().log_in(EMAIL, "wrong-password") == app().log_in("nobody@example.com", "wrong-password")


def test_registering_a_taken_address_is_answered_like_a_new_one_and_tells_the_owner(app):
    UserFactory(email=EMAIL)
    page = app()
    taken = page("POST", "/auth/signup", {"email": EMAIL, "password": NEW})
    free = app()("POST", "/auth/signup", {"email": "new@example.com", "password": NEW})

    assert taken == free
    assert [(message.to, "already" in message.subject.lower()) for message in page.mails()] == [
        ([EMAIL], True),
        (["new@example.com"], False),
    ]
    assert models.User.objects.get(email=EMAIL).check_password(PASSWORD)


def test_who_squats_an_address_gains_nothing_and_its_owner_takes_the_account(app):
    squatter = app()
    squatter("POST", "/auth/signup", {"email": EMAIL, "password": PASSWORD})
    cache.clear()  # an address gets one mail in ten seconds
    owner = app()
    owner("POST", "/auth/signup", {"email": EMAIL, "password": NEW})
    subjects = [message.subject for message in owner.mails()]
    assert subjects == [
        f"[{settings.PROJECT_NAME}] {text}" for text in ("Please Confirm Your Email Address", "Account Already Exists")
    ]

    owner("POST", "/auth/password/request", {"email": EMAIL})
    owner("POST", "/auth/password/reset", {"key": owner.code(), "password": NEW})

    assert app().log_in(EMAIL, NEW)[0] == 200
    assert app().log_in(EMAIL, PASSWORD)[0] == 400
    assert squatter.me() is None


def test_a_forgotten_password_is_set_anew_with_a_code(app):
    UserFactory(email=EMAIL)
    page = app()
    page("POST", "/auth/password/request", {"email": EMAIL})
    status, _ = page("POST", "/auth/password/reset", {"key": page.code(), "password": NEW})

    assert status == 401  # log in with it
    assert app().log_in(EMAIL, PASSWORD)[0] == 400
    assert app().log_in(EMAIL, NEW)[0] == 200


def test_asking_for_a_password_does_not_tell_whether_there_is_an_account(app):
    UserFactory(email=EMAIL)
    page = app()
    known = page("POST", "/auth/password/request", {"email": EMAIL})
    unknown = app()("POST", "/auth/password/request", {"email": "nobody@example.com"})

    assert known == unknown
    assert [message.to for message in page.mails()] == [[EMAIL]]


def test_changing_the_password_ends_the_other_sessions_and_tells_the_owner(app):
    UserFactory(email=EMAIL)
    mine, other = app(), app()
    mine.log_in(EMAIL, PASSWORD)
    other.log_in(EMAIL, PASSWORD)
    status, _ = mine("POST", "/account/password/change", {"current_password": PASSWORD, "new_password": NEW})

    assert status == 200
    assert mine.me()["email"] == EMAIL
    assert other.me() is None
    assert "password" in mine.mails()[-1].subject.lower()


@pytest.mark.parametrize("password", ["short", "password123", "12345678901", " " * 10])
def test_a_weak_password_is_refused_and_nothing_is_made(app, password):
    status, answer = app()("POST", "/auth/signup", {"email": EMAIL, "password": password})

    assert status == 400
    assert {param for param, _ in errors(answer)} == {"password"}
    assert not models.User.objects.exists()


def test_the_old_password_is_no_new_one(app):
    UserFactory(email=EMAIL)
    page = app()
    page.log_in(EMAIL, PASSWORD)
    same = {"current_password": PASSWORD, "new_password": PASSWORD}
    status, answer = page("POST", "/account/password/change", same)
    page("POST", "/auth/password/request", {"email": EMAIL})
    reset, _ = page("POST", "/auth/password/reset", {"key": page.code(), "password": PASSWORD})

    assert (status, {param for param, _ in errors(answer)}, reset) == (400, {"new_password"}, 400)
    assert models.User.objects.get(email=EMAIL).check_password(PASSWORD)


def test_another_code_can_be_asked_for_and_the_first_one_is_void(app):
    page = app()
    page("POST", "/auth/signup", {"email": EMAIL, "password": PASSWORD})
    first = page.code()
    cache.clear()  # an address gets one mail in ten seconds
    assert page("POST", "/auth/email/verify/resend")[0] == 200

    assert page("POST", "/auth/email/verify", {"key": first})[0] == 400
    assert page("POST", "/auth/email/verify", {"key": page.code()})[0] == 200


def test_a_new_address_is_confirmed_before_it_counts_and_the_old_one_is_told(app):
    user = UserFactory(email=EMAIL)
    page = app()
    page.log_in(EMAIL, PASSWORD)
    page.reauthenticate(PASSWORD)
    page("POST", "/account/email", {"email": "new@example.com"})

    user.refresh_from_db()
    assert user.email == EMAIL
    status, _ = page("POST", "/auth/email/verify", {"key": page.code()})
    user.refresh_from_db()
    assert (status, user.email) == (200, "new@example.com")
    assert EMAIL in [address for message in page.mails() for address in message.to]


def test_sessions_are_listed_and_ended(app):
    UserFactory(email=EMAIL)
    mine, other = app(), app()
    mine.log_in(EMAIL, PASSWORD)
    other.log_in(EMAIL, PASSWORD)
    _, answer = mine("GET", "/auth/sessions")
    ended = [session["id"] for session in answer["data"] if not session["is_current"]]

    assert {session["ip"] for session in answer["data"]} == {"127.0.0.1"}
    assert len(ended) == 1
    assert mine("DELETE", "/auth/sessions", {"sessions": ended})[0] == 200
    assert other.me() is None
    assert mine.me()["email"] == EMAIL


def test_a_second_factor_is_set_up_and_asked_for(app):
    UserFactory(email=EMAIL)
    page = app()
    page.log_in(EMAIL, PASSWORD)
    page.reauthenticate(PASSWORD)
    _, answer = page("GET", "/account/authenticators/totp")
    status, _ = page("POST", "/account/authenticators/totp", {"code": totp(answer["meta"]["secret"])})
    assert status == 200

    _, answer = page("GET", "/account/authenticators/recovery-codes")
    code = answer["data"]["unused_codes"][0]
    other = app()
    status, answer = other.log_in(EMAIL, PASSWORD)
    assert (status, flows(answer)) == (401, ["mfa_authenticate"])
    assert other.me() is None
    assert other("POST", "/auth/2fa/authenticate", {"code": "000000"})[0] == 400
    assert other("POST", "/auth/2fa/authenticate", {"code": code})[0] == 200
    assert other.me()["email"] == EMAIL


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/account/email", {"email": "new@example.com"}),
        ("GET", "/account/authenticators/webauthn", None),
    ],
)
def test_what_is_risky_asks_for_the_password_again(app, method, path, body):
    UserFactory(email=EMAIL)
    page = app()
    page.log_in(EMAIL, PASSWORD)
    status, answer = page(method, path, body)

    assert status == 401
    assert "reauthenticate" in [flow["id"] for flow in answer["data"]["flows"]]
    assert page.reauthenticate(PASSWORD)[0] == 200
    assert page(method, path, body)[0] in (200, 400)


def test_too_many_wrong_passwords_are_refused_for_the_client_and_not_for_the_owner(app):
    UserFactory(email=EMAIL)
    owner = app()
    owner.log_in(EMAIL, PASSWORD)
    guesses = [app().log_in(EMAIL, f"wrong-{number}")[0] for number in range(7)]

    assert guesses[-1] == 400
    assert errors(app().log_in(EMAIL, PASSWORD)[1]) == {(None, "too_many_login_attempts")}
    assert owner.me()["email"] == EMAIL


def test_one_client_cannot_try_many_accounts(app):
    statuses = [app().log_in(f"user{number}@example.com", "wrong-password")[0] for number in range(32)]

    assert statuses[-1] == 429


@pytest.mark.parametrize(("second", "counted"), [("2001:db8::ffff", 1), ("2001:db8:0:1::1", 2)])
def test_an_ipv6_network_is_one_client(rf, second, counted):
    requests = [rf.get("/", REMOTE_ADDR=address) for address in ("2001:db8::1", second)]

    assert len({Adapter().get_client_ip(request) for request in requests}) == counted


def test_a_disabled_account_is_logged_out_and_stays_so_when_it_is_enabled_again(app, client):
    user = UserFactory(email=EMAIL)
    page = app()
    page.log_in(EMAIL, PASSWORD)
    models.User.objects.filter(pk=user.pk).update(is_active=False)
    assert page.me() is None

    repository.end_sessions(user.pk)
    models.User.objects.filter(pk=user.pk).update(is_active=True)
    assert page.me() is None


def test_a_request_with_a_cookie_needs_the_token(app):
    page = app()
    answer = page.client.post(
        "/accounts/browser/v1/auth/signup", {"email": EMAIL, "password": PASSWORD}, content_type="application/json"
    )

    assert answer.status_code == 403
    assert not models.User.objects.exists()


@pytest.mark.parametrize("body", ["[" * 50_000, '{"email": ' * 3000, "null", "[]", "{", '"a"', '{"email": {"a": 1}}'])
def test_a_hostile_body_is_refused(app, body):
    page = app()
    token = page.client.cookies[settings.CSRF_COOKIE_NAME].value
    answer = page.client.generic(
        "POST",
        "/accounts/browser/v1/auth/login",
        body,
        content_type="application/json",
        headers={"X-CSRFToken": token},
    )

    assert answer.status_code == 400


def test_staff_stay_logged_in_for_less_time(app, settings):
    StaffFactory(email="staff@example.com")
    UserFactory(email=EMAIL)
    pages = {email: app() for email in (EMAIL, "staff@example.com")}
    for email, page in pages.items():
        page.log_in(email, PASSWORD)

    limits = [page.client.session[LIMITS] for page in pages.values()]
    assert [(round(ends - used), idle) for ends, idle, used in limits] == [
        (settings.SESSION_COOKIE_AGE, settings.SESSION_IDLE),
        (settings.STAFF_SESSION_AGE, settings.STAFF_SESSION_IDLE),
    ]


def test_the_page_for_staff_limits_the_session_too(client, settings):
    StaffFactory(email=EMAIL)
    client.post("/accounts/pages/login/", {"login": EMAIL, "password": PASSWORD, "remember": "on"})

    assert client.session[LIMITS][1] == settings.STAFF_SESSION_IDLE


def test_an_account_that_nobody_verifies_is_deleted(app):
    UserFactory(email=EMAIL)
    old = UserFactory(email="old@example.com", verified=False)
    fresh = UserFactory(email="fresh@example.com", verified=False)
    long_ago = old.date_joined - repository.UNVERIFIED_KEPT
    models.User.objects.exclude(pk=fresh.pk).update(date_joined=long_ago)
    tasks.clean_up()

    assert set(models.User.objects.values_list("email", flat=True)) == {EMAIL, "fresh@example.com"}


def test_an_expired_session_is_deleted_and_its_row_of_the_account_engine(app):
    pages = [app(), app()]
    for number, page in enumerate(pages):
        UserFactory(email=f"{number}@example.com")
        page.log_in(f"{number}@example.com", PASSWORD)
    expired, valid = (page.client.session.session_key for page in pages)
    Session.objects.filter(pk=expired).update(expire_date=timezone.now() - timedelta(seconds=1))
    tasks.clean_up()

    assert [row.pk for row in Session.objects.all()] == [valid]
    assert [row.session_key for row in UserSession.objects.all()] == [valid]


def test_a_session_is_noted_once_in_a_while(app, django_assert_num_queries):
    UserFactory(email=EMAIL)
    page = app()
    page.log_in(EMAIL, PASSWORD)
    UserSession.objects.update(last_seen_at="2020-01-01T00:00:00Z")
    page.me()

    assert UserSession.objects.get().last_seen_at.year > 2020
    with django_assert_num_queries(1):  # the user: the session is read from Redis
        page.me()
    cache.clear()
    with django_assert_num_queries(2):
        page.me()


@pytest.mark.parametrize("store", ["database", "redis"])
def test_while_a_store_is_away_programs_are_told_in_json_and_browsers_by_a_page(app, monkeypatch, store):
    UserFactory(email=EMAIL)
    page = app()
    page.log_in(EMAIL, PASSWORD)
    page.client.raise_request_exception = False

    def fail(*args, **kwargs):
        raise OperationalError("10.0.0.7") if store == "database" else RedisConnectionError("10.0.0.7")

    for name in ("get", "set", "add", "get_many"):
        monkeypatch.setattr(cache._cache, name, fail if store == "redis" else lambda key, default=None: default)
    with connection.execute_wrapper(fail) if store == "database" else contextlib.nullcontext():
        told = page.client.get("/accounts/browser/v1/auth/session")
        shown = page.client.get("/accounts/pages/password/change/", headers={"accept": "text/html"})

    assert (told.status_code, told["Retry-After"], told.json()["code"]) == (503, "5", "UNAVAILABLE")
    assert (shown.status_code, shown["Retry-After"]) == (503, "5")
    assert "<p>The database does not answer now. Try again later.</p>" in shown.content.decode()
    assert b"10.0.0.7" not in told.content + shown.content


def test_the_pages_for_staff_are_in_the_style_of_the_admin(client):
    page = client.get("/accounts/pages/login/").content.decode()

    assert '<link rel="stylesheet" href="/static/admin/css/base.css">' in page
    assert '<link rel="stylesheet" href="/static/accounts/pages.css">' in page
