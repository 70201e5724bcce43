import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP
from allauth.usersessions.models import UserSession
from django.contrib.auth.models import Group, Permission
from django.contrib.sessions.backends.cached_db import SessionStore
from django.urls import reverse

from apps.accounts import models, repository
from apps.accounts.demo import load
from apps.accounts.tests.factories import PASSWORD, LimitedStaffFactory, StaffFactory, UserFactory
from framework.audit import trail
from framework.audit.models import Entry

pytestmark = pytest.mark.django_db

LIST = reverse("admin:accounts_user_changelist")
ADD = reverse("admin:accounts_user_add")


@pytest.fixture
def admin(client):
    user = StaffFactory(email="admin@example.com", is_superuser=True)
    client.force_login(user)
    return client


def emails(response):
    return [user.email for user in response.context["cl"].result_list]


def change(user):
    return reverse("admin:accounts_user_change", args=[user.id])


@pytest.mark.parametrize("number", [10, 99])
def test_the_list_costs_the_same_queries_whatever_its_length(admin, django_assert_num_queries, number):
    UserFactory.create_batch(number)

    with django_assert_num_queries(4):
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
    assert user.check_password(PASSWORD)


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
    assert user.check_password(PASSWORD)


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


def test_the_admin_sends_nobody_to_the_log_in_page(client):
    response = client.get("/admin/", follow=True)

    assert response.redirect_chain[-1][0] == f"{reverse('account_login')}?next=/admin/"
    assert response.status_code == 200


def test_customers_do_not_get_into_the_admin(client):
    client.force_login(UserFactory())

    assert client.get("/admin/", follow=True).status_code == 403
    assert client.get("/admin/login/").status_code == 403


def test_staff_log_in_and_get_into_the_admin(client):
    StaffFactory(email="ann@example.com")
    page = client.get(reverse("account_login"))
    response = client.post(
        reverse("account_login"), {"login": "Ann@Example.com", "password": PASSWORD, "next": "/admin/"}, follow=True
    )

    assert page.status_code == 200
    assert response.redirect_chain == [("/admin/", 302)]
    assert response.status_code == 200


def test_staff_without_a_second_factor_are_sent_to_set_one_up(client, settings):
    settings.STAFF_SECOND_FACTOR = True
    user = StaffFactory()
    client.force_login(user)

    assert client.get("/admin/", follow=True).redirect_chain[-1][0] == reverse("mfa_index")
    TOTP.activate(user, "A" * 32)
    assert client.get("/admin/").status_code == 200


def test_groups_are_managed_too(admin):
    assert admin.get(reverse("admin:auth_group_changelist")).status_code == 200


@pytest.fixture
def manager(client):
    """Staff who may change users and groups, and view queued tasks."""
    user = LimitedStaffFactory(email="manager@example.com")
    names = ["change_user", "view_user", "change_group", "view_group", "delete_user", "view_queuedtask"]
    user.user_permissions.set(Permission.objects.filter(codename__in=names))
    client.force_login(user)
    client.user = user
    return client


def rights_form(user, **more):
    return {"email": user.email, "is_active": "on", "is_staff": "on"} | more


def test_staff_cannot_make_themselves_superusers(manager):
    manager.post(change(manager.user), rights_form(manager.user, is_superuser="on"))

    assert models.User.objects.get(pk=manager.user.pk).is_superuser is False


def test_staff_cannot_give_a_right_that_they_lack(manager):
    user, beyond = LimitedStaffFactory(), Permission.objects.get(codename="delete_queuedtask")
    group = Group.objects.create(name="strong")
    group.permissions.add(beyond)
    refused = manager.post(change(user), rights_form(user, user_permissions=beyond.pk, groups=group.pk))

    assert refused.context["adminform"].form.errors.keys() == {"user_permissions", "groups"}
    assert not user.user_permissions.exists()
    assert not user.groups.exists()


def test_staff_can_give_a_right_that_they_have(manager):
    user, own = LimitedStaffFactory(), Permission.objects.get(codename="view_queuedtask")

    assert manager.post(change(user), rights_form(user, user_permissions=own.pk)).status_code == 302
    assert list(user.user_permissions.all()) == [own]


def test_staff_cannot_change_a_user_with_more_rights(manager):
    chief = StaffFactory()
    stronger = LimitedStaffFactory()
    stronger.user_permissions.add(Permission.objects.get(codename="delete_queuedtask"))
    password = reverse("admin:auth_user_password_change", args=[stronger.pk])
    statuses = [manager.post(change(user), {"email": "mine@example.com"}).status_code for user in (chief, stronger)]

    assert statuses == [403, 403]
    assert manager.post(password, {"password1": PASSWORD, "password2": PASSWORD}).status_code == 403
    assert manager.post(reverse("admin:accounts_user_delete", args=[chief.pk]), {"post": "yes"}).status_code == 403
    assert not models.User.objects.filter(email="mine@example.com").exists()


def test_staff_cannot_give_a_group_a_right_that_they_lack(manager):
    group, beyond = Group.objects.create(name="own"), Permission.objects.get(codename="delete_queuedtask")
    page = reverse("admin:auth_group_change", args=[group.pk])
    refused = manager.post(page, {"name": "own", "permissions": beyond.pk})

    assert refused.context["adminform"].form.errors.keys() == {"permissions"}
    assert not group.permissions.exists()


def act(client, name, *users):
    client.post(LIST, {"action": name, "_selected_action": [user.pk for user in users]})


@pytest.fixture
def locked_out():
    """A user who has lost the second factor, and is logged in somewhere."""
    user = UserFactory()
    Authenticator.objects.create(user=user, type="totp", data={})
    session = SessionStore()
    session.create()
    UserSession.objects.create(user=user, session_key=session.session_key, ip="203.0.113.7", user_agent="Firefox")
    return user


def test_a_users_page_shows_sessions_and_factors(client, locked_out):
    client.force_login(StaffFactory())

    page = client.get(reverse("admin:accounts_user_change", args=[locked_out.pk])).content.decode()

    assert "203.0.113.7" in page
    assert "Second factor: totp" in page


def test_sessions_are_ended_and_factors_reset_and_it_is_written_down(client, locked_out):
    admin = StaffFactory()
    client.force_login(admin)
    act(client, "end_sessions", locked_out)
    assert not UserSession.objects.filter(user=locked_out).exists()
    assert Authenticator.objects.exists()
    act(client, "reset_factors", locked_out)
    assert not Authenticator.objects.exists()

    entries = trail.entries(f"accounts.user:{locked_out.pk}")
    assert [(entry.action, entry.actor) for entry in entries] == [
        ("accounts.end_sessions", f"user:{admin.pk}"),
        ("accounts.reset_factors", f"user:{admin.pk}"),
    ]


def test_factors_of_a_user_with_more_rights_are_not_reset(client, locked_out):
    locked_out.is_superuser = True
    locked_out.save()
    client.force_login(LimitedStaffFactory(rights=["accounts.view_user", "accounts.change_user"]))

    act(client, "reset_factors", locked_out)

    assert Authenticator.objects.count() == UserSession.objects.filter(user=locked_out).count() == 1
    assert not Entry.objects.exists()


def test_staff_cannot_put_anybody_into_a_group_with_more_rights(client):
    load()
    editor, support = (models.User.objects.get(email=f"{name}@example.com") for name in ("editor", "support"))
    editor.user_permissions.set(Permission.objects.filter(codename__in=["view_user", "change_user"]))
    client.force_login(editor)
    group = Group.objects.get(name="Support")
    customer = UserFactory()
    url = reverse("admin:accounts_user_change", args=[customer.pk])

    assert group not in client.get(url).context["adminform"].form.fields["groups"].queryset
    client.post(url, {"email": customer.email, "is_active": "on", "groups": [group.pk]})

    assert list(customer.groups.all()) == []
    assert list(support.groups.all()) == [group]


def test_a_change_in_the_admin_is_written_down_without_secrets(client):
    admin, user = StaffFactory(), UserFactory()
    client.force_login(admin)
    password = {"password1": "a-new-s3cret-pass", "password2": "a-new-s3cret-pass", "usable_password": "true"}
    client.post(reverse("admin:auth_user_password_change", args=[user.pk]), password)
    client.post(reverse("admin:accounts_user_change", args=[user.pk]), {"email": "new@example.com", "is_active": "on"})

    changed = trail.entries(f"accounts.user:{user.pk}")
    assert [entry.action for entry in changed] == ["accounts.change_user"] * 2
    assert changed[1].after == {"email": "(hidden)"}
    assert not any("s3cret" in str(entry.after) or "@" in str(entry.after) for entry in changed)
    assert {entry.actor for entry in changed} == {f"user:{admin.pk}"}
