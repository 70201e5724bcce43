from urllib.parse import urlsplit

import pytest
from allauth.socialaccount.models import SocialAccount
from django.conf import settings

from apps.accounts import models
from apps.accounts.tests.factories import PASSWORD, UserFactory
from apps.accounts.tests.provider import CLIENT, SECRET, provider

pytestmark = pytest.mark.django_db
EMAIL = "ann@example.com"


@pytest.fixture
def oidc(settings):
    with provider() as running:
        app = {"provider_id": "oidc", "name": "Test", "client_id": CLIENT, "secret": SECRET}
        app["settings"] = {"server_url": running.url, "oauth_pkce_enabled": True}
        settings.SOCIALACCOUNT_PROVIDERS = {"openid_connect": {"APPS": [app]}}
        yield running


def go(page, oidc, process="login"):
    """To the provider and back: where the browser is in the end."""
    form = {"provider": "oidc", "process": process, "callback_url": "/done"}
    token = page.client.cookies[settings.CSRF_COOKIE_NAME].value
    away = page.client.post("/accounts/browser/v1/auth/provider/redirect", form, headers={"X-CSRFToken": token})
    assert away.url.startswith(f"{oidc.url}/authorize?")
    back = urlsplit(oidc.authorize(away.url))
    return page.client.get(f"{back.path}?{back.query}").url


def test_who_comes_from_the_provider_with_a_verified_address_is_somebody(app, oidc):
    page = app()

    assert go(page, oidc) == "/done"
    assert page.me() == {"email": EMAIL, "isStaff": False}
    again = app()
    go(again, oidc)
    assert again.me()["email"] == EMAIL
    assert models.User.objects.count() == 1


def test_an_address_that_the_provider_has_not_verified_is_to_be_verified_here(app, oidc):
    oidc.claims["email_verified"] = False
    page = app()
    go(page, oidc)

    assert page.me() is None
    assert page("POST", "/auth/email/verify", {"key": page.code()})[0] == 200
    assert page.me()["email"] == EMAIL


@pytest.mark.parametrize("verified", [True, False])
def test_the_address_alone_joins_no_account(app, oidc, verified):
    UserFactory(email=EMAIL)
    oidc.claims["email_verified"] = verified
    page = app()
    go(page, oidc)

    assert page.me() is None
    assert not SocialAccount.objects.exists()
    assert "already" in page.mails()[-1].subject.lower()


def test_an_account_that_nobody_has_verified_is_not_in_the_way(app, oidc):
    squatted = UserFactory(email=EMAIL, verified=False)
    page = app()
    go(page, oidc)

    assert page.me()["email"] == EMAIL
    assert not models.User.objects.filter(pk=squatted.pk).exists()


def test_who_is_logged_in_connects_the_provider_after_a_fresh_log_in_and_disconnects_it(app, oidc):
    user = UserFactory(email=EMAIL)
    oidc.claims["email"] = "other@example.com"
    page = app()
    page.log_in(EMAIL, PASSWORD)
    page.reauthenticate(PASSWORD)
    go(page, oidc, "connect")
    account = SocialAccount.objects.get()
    assert (account.user, account.uid) == (user, "ann-1")

    other = app()
    go(other, oidc)
    assert other.me()["email"] == EMAIL
    assert page("DELETE", "/account/providers", {"provider": "oidc", "account": "ann-1"})[0] == 200
    assert not SocialAccount.objects.exists()


def test_a_provider_of_somebody_else_is_not_connected(app, oidc):
    go(app(), oidc)
    UserFactory(email="bob@example.com")
    page = app()
    page.log_in("bob@example.com", PASSWORD)
    page.reauthenticate(PASSWORD)
    go(page, oidc, "connect")

    assert SocialAccount.objects.get().user.email == EMAIL


def test_an_answer_to_a_browser_that_did_not_ask_is_refused(app, oidc):
    page, victim = app(), app()
    form = {"provider": "oidc", "process": "login", "callback_url": "/done"}
    token = page.client.cookies[settings.CSRF_COOKIE_NAME].value
    away = page.client.post("/accounts/browser/v1/auth/provider/redirect", form, headers={"X-CSRFToken": token})
    back = urlsplit(oidc.authorize(away.url))
    victim.client.get(f"{back.path}?{back.query}")

    assert victim.me() is None
    assert not models.User.objects.exists()
