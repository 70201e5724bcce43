import pytest
from django.conf import settings
from django.contrib.sessions.models import Session

from apps.accounts import models
from apps.accounts.tests.factories import UserFactory

pytestmark = pytest.mark.django_db

ME = "{ me { id email isStaff } }"
CSRF = "{ csrfToken }"


def session(app):
    return app.client.cookies[settings.SESSION_COOKIE_NAME].value


def test_somebody_who_is_logged_in_is_told_who_they_are(graphql):
    user = UserFactory(email="ann@example.com")

    assert graphql().login(user).data(ME) == {"me": {"id": str(user.id), "email": "ann@example.com", "isStaff": False}}


def test_nobody_is_nobody(graphql, django_assert_num_queries):
    with django_assert_num_queries(0):
        assert graphql().data(ME) == {"me": None}


def test_a_page_is_given_a_token(graphql):
    assert len(graphql().data(CSRF)["csrfToken"]) == 64


def test_a_disabled_users_session_ends_at_once(graphql):
    user = UserFactory()
    app = graphql().login(user)
    models.User.objects.filter(pk=user.pk).update(is_active=False)

    assert app.data(ME) == {"me": None}


def test_a_deleted_users_session_is_nobodys(graphql):
    user = UserFactory()
    app = graphql().login(user)
    user.delete()

    assert app.data(ME) == {"me": None}


def test_a_session_that_was_deleted_is_nobodys(graphql):
    app = graphql().login(UserFactory())
    app.client.session.delete()

    assert not Session.objects.filter(session_key=session(app)).exists()
    assert app.data(ME) == {"me": None}
