import pytest

from apps.accounts import models, repository, services
from apps.accounts.tests.factories import PASSWORD, UserFactory
from framework.actor import NOBODY, SYSTEM, Actor
from framework.errors import InvalidArgument, NotFound, PermissionDenied, Unauthenticated

pytestmark = pytest.mark.django_db

NEW = "another-battery-staple"


def refused(function, *args):
    with pytest.raises(InvalidArgument) as error:
        function(*args)
    return error.value.fields


def test_a_registered_user_is_a_customer():
    user = services.register("Ann@Example.com", PASSWORD)

    row = models.User.objects.get()
    assert (user.email, user.is_staff) == ("ann@example.com", False)
    assert (row.is_staff, row.is_superuser, row.is_active) == (False, False, True)


@pytest.mark.parametrize(
    ("password", "complaint"),
    [
        ("short", "This password is too short. It must contain at least 8 characters."),
        ("password123", "This password is too common."),
        ("59182734650", "This password is entirely numeric."),
        ("ann.smith@example", "The password is too similar to the email."),
        ("x" * 1001, "1000 characters at most, none NUL"),
        ("with-a-nul-\0-inside", "1000 characters at most, none NUL"),
    ],
)
def test_a_weak_password_is_refused(password, complaint):
    user = UserFactory(email="ann.smith@example.org")

    assert refused(services.register, "ann.smith@example.com", password) == {"password": complaint}
    actor = Actor(user_id=user.id)
    assert refused(services.change_password, actor, PASSWORD, password) == {"newPassword": complaint}
    assert models.User.objects.get() == user
    assert repository.check_password(user.id, PASSWORD)


def test_a_password_is_changed():
    user = UserFactory()

    assert services.change_password(Actor(user_id=user.id), PASSWORD, NEW).id == user.id

    assert repository.check_password(user.id, NEW)
    assert not repository.check_password(user.id, PASSWORD)


def test_a_password_is_not_changed_without_the_old_one():
    user = UserFactory()

    assert refused(services.change_password, Actor(user_id=user.id), "wrong", NEW) == {"oldPassword": "is wrong"}

    assert repository.check_password(user.id, PASSWORD)


@pytest.mark.parametrize(
    ("actor", "error"), [(NOBODY, Unauthenticated), (SYSTEM, PermissionDenied), (Actor(user_id=1), NotFound)]
)
def test_only_a_user_has_a_password_to_change(actor, error):
    with pytest.raises(error):
        services.change_password(actor, PASSWORD, NEW)
