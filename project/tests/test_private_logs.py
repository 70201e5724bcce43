"""Nothing personal is logged: no address, no password, no token, whatever door is used."""

import re

import pytest
from django.test import Client

from apps.accounts.tests.factories import PASSWORD, StaffFactory, UserFactory

pytestmark = pytest.mark.django_db

LOGIN = "mutation($email: String!, $password: String!) { login(email: $email, password: $password) { user { id } } }"
REGISTER = LOGIN.replace("login", "register")


@pytest.mark.parametrize("password", [PASSWORD, "canary-wrong-password"])
def test_a_login_leaves_nothing_personal(graphql, secrets, password):
    user, page = UserFactory(email="canary@example.com"), graphql()
    page("{ csrfToken }")
    page(LOGIN, email=user.email, password=password)
    page("{ me { email } }")
    secrets += [user.email, password, user.password, *(cookie.value for cookie in page.client.cookies.values())]


def test_a_registration_leaves_nothing_personal(graphql, secrets):
    new, taken = (graphql()(REGISTER, email="canary@example.com", password="canary-horse-battery") for _ in range(2))
    assert "errors" not in new
    assert "errors" in taken
    secrets += ["canary@example.com", "canary-horse-battery"]


def test_a_lock_out_leaves_nothing_personal(graphql, secrets):
    user = UserFactory(email="canary@example.com")
    for _ in range(6):
        answer = graphql()(LOGIN, email=user.email, password="canary-wrong-password")
    assert answer["errors"][0]["extensions"]["reason"] == "LOCKED_OUT"
    secrets += [user.email, "canary-wrong-password"]


@pytest.mark.parametrize("password", [PASSWORD, "canary-wrong-password"])
def test_the_admins_login_leaves_nothing_personal(secrets, password):
    staff = StaffFactory(email="canary@example.com")
    client = Client(enforce_csrf_checks=True, headers={"host": "localhost"})
    form = client.get("/admin/login/").content.decode()
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', form)[1]
    values = {"username": staff.email, "password": password, "csrfmiddlewaretoken": token}
    client.post("/admin/login/?next=/admin/", values)
    client.post("/admin/login/", values | {"csrfmiddlewaretoken": "canary-csrf"})  # refused, and logged by Django
    client.get("/admin/")
    secrets += [staff.email, password, token, "canary-csrf", *(each.value for each in client.cookies.values())]
