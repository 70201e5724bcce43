"""Nothing personal is logged: no address, no password, no token, whichever way one logs in."""

import pytest
from django.test import Client
from django.urls import reverse

from apps.accounts.tests.factories import PASSWORD, StaffFactory, UserFactory

pytestmark = pytest.mark.django_db

EMAIL = "canary@example.com"
WRONG = "canary-wrong-password"


@pytest.mark.parametrize("password", [PASSWORD, WRONG])
def test_a_login_leaves_nothing_personal(app, secrets, password):
    user, page = UserFactory(email=EMAIL), app()
    status, _ = page.log_in(EMAIL, password)
    page.me()

    assert status == (200 if password == PASSWORD else 400)
    secrets += [EMAIL, password, user.password, *(cookie.value for cookie in page.client.cookies.values())]


@pytest.mark.parametrize("taken", [False, True])
def test_a_registration_leaves_nothing_personal(app, secrets, taken):
    if taken:
        UserFactory(email=EMAIL)
    status, _ = app()("POST", "/auth/signup", {"email": EMAIL, "password": "canary-horse-battery"})

    assert status == 401  # the address is to be verified, it says in either case
    secrets += [EMAIL, "canary-horse-battery"]


def test_a_lock_out_leaves_nothing_personal(app, secrets):
    UserFactory(email=EMAIL)
    page = app()
    statuses = [page.log_in(EMAIL, WRONG)[0] for _ in range(7)]

    assert statuses[0] == 400
    secrets += [EMAIL, WRONG]


@pytest.mark.parametrize("password", [PASSWORD, WRONG])
def test_the_login_page_of_staff_leaves_nothing_personal(secrets, password):
    StaffFactory(email=EMAIL)
    client = Client(enforce_csrf_checks=True, headers={"host": "localhost"})
    page = reverse("account_login")
    token = client.get(page).context["csrf_token"]
    values = {"login": EMAIL, "password": password, "csrfmiddlewaretoken": str(token)}
    client.post(page, values)
    client.post(page, values | {"csrfmiddlewaretoken": "canary-csrf"})  # refused, and logged by Django

    secrets += [EMAIL, password, str(token), "canary-csrf", *(each.value for each in client.cookies.values())]
