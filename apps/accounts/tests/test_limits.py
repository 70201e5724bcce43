"""What a request may cost, and how often it may be made: anybody can ask to log in."""

import pytest
from django.conf import settings
from django.test import Client

from apps.accounts import models
from apps.accounts.tests.factories import PASSWORD, UserFactory
from framework import mail
from framework.web import passwords

pytestmark = pytest.mark.django_db
EMAIL, NEW = "ann@example.com", "another-battery-staple"


@pytest.fixture
def hashings(settings, monkeypatch):
    """Grows by one with each hashing."""
    settings.PASSWORD_HASHERS = ["framework.web.passwords.BoundedArgon2"]
    done = []
    for name in ("encode", "verify"):
        hashed = getattr(passwords.Argon2PasswordHasher, name)
        monkeypatch.setattr(
            passwords.Argon2PasswordHasher, name, lambda *args, call=hashed: done.append(1) or call(*args)
        )
    return done


@pytest.fixture
def user(hashings):
    user = UserFactory(email=EMAIL)
    user.set_password(PASSWORD)
    user.save()
    hashings.clear()
    return user


@pytest.mark.parametrize(
    ("path", "body", "cost"),
    [
        ("/auth/login", {"email": EMAIL, "password": PASSWORD}, 1),
        ("/auth/login", {"email": EMAIL, "password": "wrong-password"}, 1),
        ("/auth/login", {"email": "nobody@example.com", "password": PASSWORD}, 1),
        ("/auth/login", {"email": "no address", "password": PASSWORD}, 0),
        ("/auth/login", {"email": EMAIL}, 0),
        ("/auth/signup", {"email": "new@example.com", "password": NEW}, 1),
        ("/auth/signup", {"email": "new@example.com", "password": "short"}, 0),
        ("/auth/signup", {"email": "no address", "password": NEW}, 0),
        ("/auth/password/request", {"email": EMAIL}, 0),
        ("/auth/password/reset", {"key": "AAAA-AAAA", "password": NEW}, 0),
        ("/auth/email/verify", {"key": "AAAA-AAAA"}, 0),
        ("/auth/reauthenticate", {"password": PASSWORD}, 0),
        ("/account/password/change", {"current_password": PASSWORD, "new_password": NEW}, 0),
    ],
)
def test_a_request_of_nobody_costs_one_hashing_at_most(app, user, hashings, path, body, cost):
    app()("POST", path, body)

    assert len(hashings) == cost


@pytest.mark.parametrize("page", ["login", "signup"])
def test_so_does_a_page(client, user, hashings, page):
    body = {"login": EMAIL, "email": "new@example.com", "password": PASSWORD, "password1": NEW}
    client.post(f"/accounts/pages/{page}/", body)

    assert len(hashings) == 1


def test_beyond_the_room_for_hashing_a_log_in_is_put_off_and_others_are_answered(app, user, hashings):
    page = app()
    for _ in range(passwords.ROOM):
        passwords._room.acquire()
    try:
        refused = page("POST", "/auth/login", {"email": EMAIL, "password": PASSWORD})
        assert (refused[0], refused[1]["reason"]) == (429, "PASSWORDS_BUSY")
        assert page.me() is None
    finally:
        passwords._room.release(passwords.ROOM)

    assert hashings == []
    assert page.log_in(EMAIL, PASSWORD)[0] == 200


def log_in_from(address, email, password):
    body = {"email": email, "password": password}
    client = Client(headers={"host": "localhost"}, REMOTE_ADDR=address)
    return client.post("/accounts/browser/v1/auth/login", body, content_type="application/json")


def test_many_clients_cannot_guess_at_one_account(user, hashings):
    for number in range(8):
        answer = log_in_from(f"192.0.2.{number}", EMAIL, f"wrong-password-{number}")

    assert answer.json()["errors"][0]["code"] == "too_many_login_attempts"
    assert len(hashings) == 5


@pytest.mark.parametrize(("tail", "tried"), [("::{}", 10), (":{}::", 12)])
def test_a_network_of_ipv6_is_one_client(user, hashings, tail, tried):
    for number in range(12):
        log_in_from(f"2001:db8:0{tail.format(number)}", f"user{number}@example.com", "wrong-password")

    assert len(hashings) == tried


def test_registering_is_counted(app, hashings):
    statuses = [app()("POST", "/auth/signup", {"email": f"a{n}@example.com", "password": NEW})[0] for n in range(12)]

    assert statuses == [401] * 10 + [429] * 2
    assert len(hashings) == models.User.objects.count() == 10


@pytest.mark.parametrize(
    ("path", "body", "allowed"),
    [
        ("/account/password/change", {"current_password": "wrong-password", "new_password": NEW}, 5),
        ("/auth/reauthenticate", {"password": "wrong-password"}, 5),
    ],
)
def test_guesses_at_the_password_of_an_open_session_are_counted(app, user, hashings, path, body, allowed):
    page = app()
    page.log_in(EMAIL, PASSWORD)
    hashings.clear()
    for _ in range(allowed + 3):
        page("POST", path, body)

    assert len(hashings) == allowed


def test_nobody_can_flood_an_address_with_mails(app, user, settings, monkeypatch):
    monkeypatch.setattr(mail, "AN_HOUR", 2)
    settings.ACCOUNT_RATE_LIMITS = {"confirm_email": "9/m/key"}  # as after some minutes
    for number in range(4):
        page = app()
        page.client.defaults["REMOTE_ADDR"] = f"192.0.2.{number}"
        page("POST", "/auth/signup", {"email": EMAIL, "password": NEW})

    assert [message.to for message in page.mails()] == [[EMAIL]] * 2


def test_an_account_that_is_not_verified_is_nobody(app, hashings):
    page = app()
    page("POST", "/auth/signup", {"email": "new@example.com", "password": NEW})
    body = {"query": "mutation { exportAccount { request { id } } }"}
    token = page.client.cookies[settings.CSRF_COOKIE_NAME].value
    answer = page.client.post("/graphql", body, content_type="application/json", headers={"X-CSRFToken": token})

    assert answer.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
