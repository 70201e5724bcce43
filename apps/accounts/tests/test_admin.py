import pytest
from django.contrib.auth.models import Group
from django.urls import reverse

from apps.accounts import models, repository
from apps.accounts.tests.factories import PASSWORD, StaffFactory, UserFactory

pytestmark = pytest.mark.django_db

LIST = reverse("admin:accounts_user_changelist")
ADD = reverse("admin:accounts_user_add")


@pytest.fixture
def admin(client):
    user = StaffFactory(email="admin@example.com", is_superuser=True)
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def emails(response):
    return [user.email for user in response.context["cl"].result_list]


def change(user):
    return reverse("admin:accounts_user_change", args=[user.id])


@pytest.mark.parametrize("number", [10, 99])
def test_the_list_costs_the_same_queries_whatever_its_length(admin, django_assert_num_queries, number):
    UserFactory.create_batch(number)

    with django_assert_num_queries(5):
        response = admin.get(LIST)

    assert len(emails(response)) == number + 1


def test_the_list_is_sorted_searched_and_filtered(admin):
    UserFactory(email="bob@example.com")
    UserFactory(email="ann@example.com", is_active=False)

    assert emails(admin.get(LIST)) == ["admin@example.com", "ann@example.com", "bob@example.com"]
    assert emails(admin.get(LIST, {"q": "BOB"})) == ["bob@example.com"]
    assert emails(admin.get(LIST, {"is_active__exact": "0"})) == ["ann@example.com"]
    assert emails(admin.get(LIST, {"is_staff__exact": "1"})) == ["admin@example.com"]


def test_a_user_is_added_with_the_address_in_lower_case(admin):
    assert admin.get(ADD).status_code == 200
    form = {"email": "Ann@Example.com", "usable_password": "true", "password1": PASSWORD, "password2": PASSWORD}

    assert admin.post(ADD, form).status_code == 302

    user = models.User.objects.get(email="ann@example.com")
    assert (user.is_staff, user.is_active) == (False, True)
    assert repository.check_password(user.id, PASSWORD)


def test_a_taken_address_and_a_weak_password_are_refused_at_their_fields(admin):
    UserFactory(email="ann@example.com")
    form = {"email": "ANN@example.com", "usable_password": "true", "password1": "1234", "password2": "1234"}

    errors = admin.post(ADD, form).context["adminform"].form.errors

    assert errors["email"] == ["User with this Email already exists."]
    assert "This password is too short. It must contain at least 8 characters." in errors["password2"]
    assert models.User.objects.count() == 2


def test_a_user_is_changed(admin):
    user, group = UserFactory(email="ann@example.com"), Group.objects.create(name="Editors")
    assert admin.get(change(user)).status_code == 200

    admin.post(change(user), {"email": "Bob@Example.com", "is_active": "on", "is_staff": "on", "groups": [group.id]})

    user.refresh_from_db()
    assert (user.email, user.is_staff, list(user.groups.all())) == ("bob@example.com", True, [group])
    assert repository.check_password(user.id, PASSWORD)


def test_a_user_disabled_in_the_admin_is_out_at_once(admin, graphql):
    user = UserFactory(email="ann@example.com")
    app = graphql().login(user)

    admin.post(change(user), {"email": "ann@example.com"})

    assert app.data("{ me { id } }") == {"me": None}


def test_a_change_to_a_taken_address_is_refused(admin):
    user, other = UserFactory(), UserFactory(email="ann@example.com")

    response = admin.post(change(user), {"email": "ANN@example.com", "is_active": "on"})

    assert response.context["adminform"].form.errors["email"] == ["User with this Email already exists."]
    assert set(models.User.objects.values_list("id", flat=True)) >= {user.id, other.id}
    assert repository.get_user(user.id).email == user.email


def test_a_bad_address_in_the_admin_is_refused(admin):
    user = UserFactory()

    for email in ("", "ann", "x" * 300 + "@example.com"):
        assert "email" in admin.post(change(user), {"email": email}).context["adminform"].form.errors
    assert repository.get_user(user.id).email == user.email


def test_staff_log_in_to_the_admin_by_address_in_any_case(client):
    StaffFactory(email="ann@example.com")

    response = client.post("/admin/login/?next=/admin/", {"username": "Ann@Example.com", "password": PASSWORD})

    assert (response.status_code, response.url) == (302, "/admin/")


def test_customers_do_not_get_into_the_admin(client):
    UserFactory(email="ann@example.com")

    response = client.post("/admin/login/", {"username": "ann@example.com", "password": PASSWORD})

    assert response.status_code == 200
    assert client.get("/admin/").status_code == 302


def test_the_admin_locks_out_after_five_failures_in_any_case(client):
    StaffFactory(email="ann@example.com")

    for email in ("ann@example.com", "ANN@example.com", "Ann@example.com", "aNN@example.com", "anN@example.com"):
        client.post("/admin/login/", {"username": email, "password": "wrong"})
    response = client.post("/admin/login/", {"username": "ann@example.com", "password": PASSWORD})

    assert response.status_code == 429
    assert client.get("/admin/").status_code == 302


def test_groups_are_managed_too(admin):
    assert admin.get(reverse("admin:auth_group_changelist")).status_code == 200
