import pytest
from allauth.mfa.models import Authenticator

from apps.accounts.tests.factories import PASSWORD, UserFactory
from apps.accounts.tests.passkey import Passkey

pytestmark = pytest.mark.django_db
EMAIL = "ann@example.com"
OWN = "/account/authenticators/webauthn"
LOG_IN = "/auth/webauthn/login"


@pytest.fixture
def page(app):
    """A user who has logged in a moment ago."""
    UserFactory(email=EMAIL)
    page = app()
    page.log_in(EMAIL, PASSWORD)
    page.reauthenticate(PASSWORD)
    return page


def register(page):
    passkey = Passkey()
    _, answer = page("GET", f"{OWN}?passwordless")
    made = passkey.create(answer["data"]["creation_options"])
    status, answer = page("POST", OWN, {"name": "phone", "credential": made})
    assert status == 200, answer
    return passkey


def log_in(page, passkey):
    _, answer = page("GET", LOG_IN)
    return page("POST", LOG_IN, {"credential": passkey.get(answer["data"]["request_options"])})[0]


def test_a_passkey_is_registered_and_logs_in_alone(page, app):
    passkey = register(page)
    other = app()

    assert log_in(other, passkey) == 200
    assert other.me()["email"] == EMAIL
    assert page.mails()[-1].to == [EMAIL]  # told of the new passkey


def test_a_passkey_is_a_second_factor_for_the_password(page, app):
    register(page)
    other = app()

    assert other.log_in(EMAIL, PASSWORD)[0] == 401
    assert other.me() is None


def test_a_passkey_that_was_removed_logs_nobody_in(page, app):
    passkey = register(page)
    ids = [each.pk for each in Authenticator.objects.filter(type="webauthn")]
    assert page("DELETE", OWN, {"authenticators": ids})[0] == 200

    assert log_in(app(), passkey) == 400
    assert not Authenticator.objects.filter(type="webauthn").exists()


def test_an_answer_to_another_challenge_or_by_another_key_logs_nobody_in(page, app):
    passkey, other = register(page), app()
    _, old = other("GET", LOG_IN)
    other("GET", LOG_IN)
    stolen = Passkey()
    stolen.id, stolen.rp, stolen.user = passkey.id, passkey.rp, passkey.user

    assert other("POST", LOG_IN, {"credential": passkey.get(old["data"]["request_options"])})[0] == 400
    assert log_in(other, stolen) == 400
    assert other.me() is None


def test_a_passkey_proves_anew_who_one_is(page):
    passkey = register(page)
    page.client.session.flush()
    assert log_in(page.start(), passkey) == 200
    assert page("POST", "/account/email", {"email": "new@example.com"})[0] == 401
    _, answer = page("GET", "/auth/webauthn/reauthenticate")
    signed = passkey.get(answer["data"]["request_options"])

    assert page("POST", "/auth/webauthn/reauthenticate", {"credential": signed})[0] == 200
    assert page("POST", "/account/email", {"email": "new@example.com"})[0] == 200
