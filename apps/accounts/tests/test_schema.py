import pytest
from django.conf import settings
from django.contrib.sessions.models import Session

from apps.accounts import models, repository
from apps.accounts.tests.factories import PASSWORD, StaffFactory, UserFactory

pytestmark = pytest.mark.django_db

ME = "{ me { id email isStaff } }"
CSRF = "{ csrfToken }"
LOGIN = (
    "mutation ($email: String!, $password: String!) { login(email: $email, password: $password) { user { email } } }"
)
LOGOUT = "mutation { logout { ok } }"
REGISTER = """
    mutation ($email: String!, $password: String!) {
        register(email: $email, password: $password) { user { email isStaff } }
    }
"""
CHANGE = """
    mutation ($old: String!, $new: String!) {
        changePassword(oldPassword: $old, newPassword: $new) { user { email } }
    }
"""
NEW = "another-battery-staple"
WRONG = {"message": "The address or the password is wrong.", "code": "BAD_USER_INPUT", "reason": "BAD_CREDENTIALS"}


def cookie(app, name):
    return app.client.cookies[name].value if name in app.client.cookies else None


def session(app):
    return cookie(app, settings.SESSION_COOKIE_NAME)


def without_token(app, query, **variables):
    body = {"query": query, "variables": variables}
    return app.client.post("/graphql", body, content_type="application/json")


def test_a_single_page_app_gets_a_token_logs_in_and_is_somebody(graphql):
    user, app = UserFactory(email="ann@example.com"), graphql()

    token = app.data(CSRF)["csrfToken"]
    logged_in = app.data(LOGIN, email="ann@example.com", password=PASSWORD)

    assert len(token) == 64
    assert logged_in == {"login": {"user": {"email": "ann@example.com"}}}
    assert app.data(ME) == {"me": {"id": str(user.id), "email": "ann@example.com", "isStaff": False}}


def test_nobody_is_nobody(graphql, django_assert_num_queries):
    with django_assert_num_queries(0):
        assert graphql().data(ME) == {"me": None}


def test_a_user_costs_three_queries(graphql, django_assert_num_queries):
    app = graphql().login(UserFactory())

    with django_assert_num_queries(3):  # session, user, entity
        app.data(ME)


@pytest.mark.parametrize("email", ["ann@example.com", "ANN@EXAMPLE.COM", "Ann@Example.com"])
def test_a_user_logs_in_by_address_in_any_case(graphql, email):
    UserFactory(email="ann@example.com")

    assert graphql().data(LOGIN, email=email, password=PASSWORD)["login"]["user"] == {"email": "ann@example.com"}


def test_a_request_without_a_cookie_needs_no_token(graphql):
    UserFactory(email="ann@example.com")

    assert without_token(graphql(), LOGIN, email="ann@example.com", password=PASSWORD).status_code == 200


@pytest.mark.parametrize("logged_in", [True, False])
def test_a_request_with_a_cookie_needs_the_token(graphql, logged_in):
    app = graphql()
    if logged_in:
        app.login(UserFactory())
    else:
        app(CSRF)
    before = session(app)

    response = without_token(app, REGISTER, email="new@example.com", password=PASSWORD)

    assert response.status_code == 403
    assert response.json()["errors"][0]["extensions"] == {"code": "FORBIDDEN"}
    assert not models.User.objects.filter(email="new@example.com").exists()
    assert session(app) == before
    assert app.data(CSRF)["csrfToken"]


def test_a_foreign_token_is_refused(graphql):
    app, other = graphql().login(UserFactory()), graphql()
    foreign = other.data(CSRF)["csrfToken"]

    response = app.client.post(
        "/graphql", {"query": LOGOUT}, content_type="application/json", headers={"X-CSRFToken": foreign}
    )

    assert response.status_code == 403
    assert app.data(ME)["me"]


def test_login_makes_a_new_session_and_a_new_token(graphql):
    first, second = UserFactory(), UserFactory()
    app = graphql().login(first)
    old_session, old_token = session(app), cookie(app, settings.CSRF_COOKIE_NAME)

    app.data(LOGIN, email=second.email, password=PASSWORD)

    assert session(app) != old_session
    assert cookie(app, settings.CSRF_COOKIE_NAME) != old_token
    assert not Session.objects.filter(session_key=old_session).exists()
    assert app.data(ME)["me"]["id"] == str(second.id)


def test_login_again_as_the_same_user_makes_a_new_session(graphql):
    user = UserFactory()
    app = graphql().login(user)
    old = session(app)

    app.data(LOGIN, email=user.email, password=PASSWORD)

    assert session(app) != old
    assert not Session.objects.filter(session_key=old).exists()


def test_logout_ends_the_session(graphql):
    app = graphql().login(UserFactory())

    assert app.data(LOGOUT) == {"logout": {"ok": True}}

    assert app.data(ME) == {"me": None}
    assert not Session.objects.exists()


def test_a_session_cookie_kept_from_before_logout_is_worth_nothing(graphql):
    app = graphql().login(UserFactory())
    stolen = session(app)
    app(LOGOUT)
    thief = graphql()
    thief.client.cookies[settings.SESSION_COOKIE_NAME] = stolen
    thief.client.cookies[settings.CSRF_COOKIE_NAME] = cookie(app, settings.CSRF_COOKIE_NAME)

    assert thief.data(ME) == {"me": None}


def test_a_disabled_users_session_ends_at_once(graphql):
    user = StaffFactory()
    app = graphql().login(user)
    assert app.data(ME)["me"]

    models.User.objects.update(is_active=False)

    assert app.data(ME) == {"me": None}
    assert app.error(CHANGE, old=PASSWORD, new=NEW)["code"] == "UNAUTHENTICATED"
    assert app.error(LOGIN, email=user.email, password=PASSWORD) == WRONG
    assert repository.check_password(user.id, PASSWORD)


def test_a_deleted_users_session_is_nobodys(graphql):
    app = graphql().login(UserFactory())

    models.User.objects.all().delete()

    assert app.data(ME) == {"me": None}


@pytest.mark.parametrize(
    ("email", "password"),
    [
        ("ann@example.com", "wrong"),
        ("ann@example.com", ""),
        ("ann@example.com", PASSWORD.upper()),
        ("ann@example.com", "x" * 5000),
        ("nobody@example.com", PASSWORD),
        ("left@example.com", PASSWORD),
        ("unusable@example.com", ""),
        ("unusable@example.com", "!"),
        ("", ""),
        ("x" * 3000, PASSWORD),
    ],
)
def test_a_wrong_password_and_an_unknown_address_get_the_same_answer(graphql, email, password):
    UserFactory(email="ann@example.com")
    UserFactory(email="left@example.com", is_active=False)
    models.User.objects.create(email="unusable@example.com", password="!unusable")
    app = graphql()

    assert app.error(LOGIN, email=email, password=password) == WRONG
    assert session(app) is None
    assert app.data(ME) == {"me": None}


def test_nul_in_a_login_is_refused(graphql):
    UserFactory(email="ann@example.com")
    literal = 'mutation { login(email: "ann@example.com\\u0000", password: "x\\u0000") { user { id } } }'

    assert graphql().error(LOGIN, email="ann@example.com\0", password=PASSWORD)["code"] == "BAD_USER_INPUT"
    assert graphql().error(literal)["code"] == "BAD_USER_INPUT"


def test_an_unknown_address_takes_the_work_of_a_known_one(graphql, monkeypatch):
    UserFactory(email="ann@example.com")
    hashed = []
    monkeypatch.setattr(
        "django.contrib.auth.hashers.MD5PasswordHasher.encode",
        lambda self, password, salt: hashed.append(password) or "md5$salt$x",
    )

    for email in ("ann@example.com", "nobody@example.com"):
        graphql()(LOGIN, email=email, password="wrong")

    assert hashed == ["wrong", "wrong"]


@pytest.mark.parametrize("known", [True, False])
def test_five_failures_lock_the_address_out_whether_it_exists_or_not(graphql, known):
    if known:
        UserFactory(email="ann@example.com")
    other = UserFactory(email="bob@example.com")
    app = graphql()

    for _ in range(4):
        assert app.error(LOGIN, email="ann@example.com", password="wrong") == WRONG
    for email, password in (("Ann@Example.com", "wrong"), ("ann@example.com", PASSWORD)):
        assert app.error(LOGIN, email=email, password=password) == {
            "message": "Too many wrong passwords: try again in a quarter of an hour.",
            "code": "RATE_LIMITED",
            "reason": "LOCKED_OUT",
        }
    assert session(app) is None
    assert app.data(LOGIN, email=other.email, password=PASSWORD)["login"]["user"] == {"email": other.email}


def test_another_network_address_is_not_locked_out(graphql):
    UserFactory(email="ann@example.com")
    app, elsewhere = graphql(), graphql()
    elsewhere.client.defaults["REMOTE_ADDR"] = "192.0.2.7"
    for _ in range(6):
        app(LOGIN, email="ann@example.com", password="wrong")

    assert elsewhere.data(LOGIN, email="ann@example.com", password=PASSWORD)["login"]
    assert app.error(LOGIN, email="ann@example.com", password=PASSWORD)["reason"] == "LOCKED_OUT"


def test_a_good_login_forgives_the_failures_before_it(graphql):
    UserFactory(email="ann@example.com")
    app = graphql()

    for _ in range(3):
        for _ in range(3):
            app(LOGIN, email="ann@example.com", password="wrong")
        assert app.data(LOGIN, email="ann@example.com", password=PASSWORD)["login"]


def test_a_changed_password_ends_the_other_sessions_and_keeps_this_one(graphql):
    user = UserFactory()
    here, there = graphql().login(user), graphql().login(user)
    before = session(here)

    assert here.data(CHANGE, old=PASSWORD, new=NEW) == {"changePassword": {"user": {"email": user.email}}}

    assert here.data(ME)["me"]["id"] == str(user.id)
    assert session(here) != before
    assert there.data(ME) == {"me": None}
    assert graphql().error(LOGIN, email=user.email, password=PASSWORD) == WRONG
    assert graphql().data(LOGIN, email=user.email, password=NEW)["login"]


def test_a_refused_change_of_password_changes_nothing(graphql):
    user = UserFactory()
    here, there = graphql().login(user), graphql().login(user)

    assert here.error(CHANGE, old="wrong", new=NEW)["fields"] == {"oldPassword": "is wrong"}
    assert here.error(CHANGE, old=PASSWORD, new="short")["fields"] == {
        "newPassword": "This password is too short. It must contain at least 8 characters."
    }

    assert repository.check_password(user.id, PASSWORD)
    assert here.data(ME)["me"]
    assert there.data(ME)["me"]


def test_nobody_changes_a_password(graphql):
    assert graphql().error(CHANGE, old=PASSWORD, new=NEW)["code"] == "UNAUTHENTICATED"


def test_a_visitor_registers_and_logs_in(graphql):
    app = graphql()

    assert app.data(REGISTER, email="Ann@Example.com", password=PASSWORD) == {
        "register": {"user": {"email": "ann@example.com", "isStaff": False}}
    }
    assert app.data(ME) == {"me": None}
    assert app.data(LOGIN, email="ann@example.com", password=PASSWORD)["login"]


@pytest.mark.parametrize(
    ("email", "password", "fields"),
    [
        ("ann", PASSWORD, {"email": "Enter a valid email address."}),
        (
            "ann@example.com",
            "password",
            {"password": "This password is too common."},
        ),
        (
            "ann@example.com",
            "1234",
            {
                "password": "This password is too short. It must contain at least 8 characters. "
                "This password is too common. This password is entirely numeric."
            },
        ),
    ],
)
def test_what_cannot_be_registered_is_refused_field_by_field(graphql, email, password, fields):
    error = graphql().error(REGISTER, email=email, password=password)

    assert (error["code"], error["fields"]) == ("BAD_USER_INPUT", fields)
    assert not models.User.objects.exists()


def test_an_address_is_registered_once_in_any_case(graphql):
    user = UserFactory(email="ann@example.com")

    error = graphql().error(REGISTER, email="ANN@example.com", password=NEW)

    assert (error["code"], error["reason"], error["fields"]) == ("CONFLICT", "EMAIL_TAKEN", {"email": "is taken"})
    assert models.User.objects.get() == user
    assert repository.check_password(user.id, PASSWORD)


def test_passwords_are_never_logged(graphql, capfd):
    UserFactory(email="ann@example.com")
    app = graphql()

    app(LOGIN, email="ann@example.com", password="wrong-secret-word")
    app(REGISTER, email="bob@example.com", password="secret-word-battery")

    written = capfd.readouterr().err
    assert "secret-word" not in written
    assert "ann@example.com" not in written
