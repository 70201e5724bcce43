"""What docs/security.md says of log-in and sessions and no other test holds."""

import pytest
from allauth.mfa.models import Authenticator
from django.contrib.sessions.models import Session

from apps.accounts import models
from apps.accounts.tests.factories import PASSWORD, UserFactory
from apps.accounts.tests.test_urls import totp

pytestmark = pytest.mark.django_db
EMAIL = "ann@example.com"


def key(page):
    return page.client.session.session_key


@pytest.fixture
def page(app):
    UserFactory(email=EMAIL)
    page = app()
    page.log_in(EMAIL, PASSWORD)
    page.reauthenticate(PASSWORD)
    return page


def test_logging_in_gives_a_new_session_and_logging_out_ends_it(app):
    UserFactory(email=EMAIL)
    page = app()
    page.log_in(EMAIL, "wrong-password")
    page.client.session.save()
    before = page.client.session.session_key
    page.log_in(EMAIL, PASSWORD)
    during = key(page)
    page("DELETE", "/auth/session")

    assert before != during
    assert len(during) == 32
    assert not Session.objects.filter(session_key__in=[before, during]).exists()


@pytest.mark.parametrize(
    "password", ["x" * 30 + " " + "é" * 70, "all lower case words here", "Capitals AND digits 123"]
)
def test_a_long_password_of_any_characters_counts_to_its_last_one(app, password):
    page = app()
    page("POST", "/auth/signup", {"email": EMAIL, "password": password})
    page("POST", "/auth/email/verify", {"key": page.code()})

    assert models.User.objects.get().check_password(password)
    assert app().log_in(EMAIL, password[:-1])[0] == 400
    assert app().log_in(EMAIL, password.swapcase())[0] == 400
    assert app().log_in(EMAIL, password)[0] == 200


def second_factor(page):
    _, answer = page("GET", "/account/authenticators/totp")
    secret = answer["meta"]["secret"]
    assert page("POST", "/account/authenticators/totp", {"code": totp(secret)})[0] == 200
    return secret


def test_a_recovery_code_is_good_once(page, app):
    second_factor(page)
    code = page("GET", "/account/authenticators/recovery-codes")[1]["data"]["unused_codes"][0]
    statuses = []
    for _ in range(2):
        other = app()
        other.log_in(EMAIL, PASSWORD)
        statuses.append(other("POST", "/auth/2fa/authenticate", {"code": code})[0])

    assert statuses == [200, 400]


def test_a_forgotten_password_does_not_get_past_the_second_factor(page, app):
    second_factor(page)
    other = app()
    other("POST", "/auth/password/request", {"email": EMAIL})
    other("POST", "/auth/password/reset", {"key": other.code(), "password": "another-battery-staple"})

    assert other.log_in(EMAIL, "another-battery-staple")[0] == 401
    assert other.me() is None


def test_a_second_factor_is_removed_after_a_fresh_log_in_and_its_user_told(page):
    second_factor(page)
    assert page("DELETE", "/account/authenticators/totp")[0] == 200

    assert not Authenticator.objects.filter(type="totp").exists()
    assert page.mails()[-1].to == [EMAIL]


def test_a_code_is_of_one_browser_and_can_be_guessed_a_few_times_only(app):
    UserFactory(email=EMAIL)
    page, other = app(), app()
    page("POST", "/auth/password/request", {"email": EMAIL})
    code = page.code()
    assert other("POST", "/auth/password/reset", {"key": code, "password": "another-battery-staple"})[0] == 409
    guesses = [page("POST", "/auth/password/reset", {"key": "ZZZZZZ", "password": PASSWORD})[0] for _ in range(4)]

    assert guesses[0] == 400
    assert guesses[-1] == 409
    assert page("POST", "/auth/password/reset", {"key": code, "password": "another-battery-staple"})[0] == 409
    assert models.User.objects.get().check_password(PASSWORD)


def test_the_page_for_staff_hides_the_password_and_lets_it_be_pasted(client):
    page = client.get("/accounts/pages/login/").content.decode()

    assert 'type="password"' in page
    assert "onpaste" not in page
    assert 'autocomplete="current-password"' in page
