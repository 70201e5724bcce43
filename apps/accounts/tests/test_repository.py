import pytest
from allauth.account.models import EmailAddress
from django.contrib.auth.hashers import identify_hasher
from django.db import IntegrityError, transaction

from apps.accounts import models, repository
from apps.accounts.entities import User
from apps.accounts.tests.factories import PASSWORD, StaffFactory, UserFactory
from framework.errors import AlreadyExists, InvalidArgument, NotFound

pytestmark = pytest.mark.django_db


def test_a_user_is_created_with_a_hashed_password_and_the_address_in_lower_case(settings):
    settings.PASSWORD_HASHERS = settings.PASSWORD_HASHERS[1:]

    user = repository.create_user("Ann@Example.COM", PASSWORD)

    row = models.User.objects.get()
    assert user == User(row.id, "ann@example.com", False)
    assert identify_hasher(row.password).algorithm == "argon2"
    assert (row.is_active, row.is_staff, row.is_superuser) == (True, False, False)
    assert row.check_password(PASSWORD)
    assert EmailAddress.objects.get().verified


@pytest.mark.parametrize("email", ["ann@example.com", "ANN@EXAMPLE.COM", "Ann@Example.com"])
def test_an_address_is_taken_once_in_any_case(email):
    user = repository.create_user("Ann@example.com", PASSWORD)

    with pytest.raises(AlreadyExists) as taken:
        repository.create_user(email, "another-password-1")

    assert (taken.value.fields, taken.value.reason) == ({"email": "is taken"}, "EMAIL_TAKEN")
    assert repository.get_users([user.id]) == {user.id: user}
    assert models.User.objects.count() == 1


@pytest.mark.parametrize(
    "email", ["", "ann", "ann@", "@example.com", "ann@example.com\0", "ann\0@example.com", "a b@c.de"]
)
def test_what_is_no_address_is_refused(email):
    with pytest.raises(InvalidArgument) as refused:
        repository.create_user(email, PASSWORD)

    assert list(refused.value.fields) == ["email"]
    assert not models.User.objects.exists()


def test_the_database_itself_refuses_an_address_that_differs_in_case_only():
    UserFactory(email="ann@example.com")

    for write in (
        lambda: models.User(email="ANN@example.com", password="x").save(),
        lambda: models.User.objects.bulk_create([models.User(email="Bob@example.com")]),
        lambda: models.User.objects.update(email="ANN@EXAMPLE.COM"),
        lambda: models.User(email="ann@example.com", password="x").save(),
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            write()
    assert list(models.User.objects.values_list("email", flat=True)) == ["ann@example.com"]


def test_users_are_fetched_by_ids_in_one_query(django_assert_num_queries):
    first, second = UserFactory(), StaffFactory()

    with django_assert_num_queries(1):
        found = repository.get_users([second.id, 1, first.id])

    assert found == {first.id: User(first.id, first.email, False), second.id: User(second.id, second.email, True)}


def test_a_user_that_does_not_exist_is_not_found():
    with pytest.raises(NotFound) as missing:
        repository.get_user(1)

    assert missing.value.reason == "USER_NOT_FOUND"


def test_only_active_staff_are_written_to():
    UserFactory()
    StaffFactory(is_active=False)
    staff = [StaffFactory(email="b@example.com"), StaffFactory(email="a@example.com")]

    assert repository.staff_emails() == [user.email for user in staff]


def test_a_user_is_found_by_the_address_in_any_case():
    user = UserFactory(email="ann@example.com")

    assert models.User.objects.get_by_natural_key("ANN@example.com") == user
