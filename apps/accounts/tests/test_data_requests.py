"""Deleting and exporting an account, from the mutation to the receipt."""

import json

import pytest
from allauth.usersessions.models import UserSession

from apps.accounts import models, services, tasks
from apps.accounts.tests.factories import PASSWORD, StaffFactory, UserFactory
from framework import discovery
from framework.errors import Unavailable
from framework.queue.models import QueuedTask

pytestmark = pytest.mark.django_db
EMAIL = "ann@example.com"
DELETE = "mutation { deleteAccount { request { id kind finishedAt } } }"
EXPORT = "mutation { exportAccount { request { id kind finishedAt } } }"
READ = "query Read($id: ID!) { dataRequest(id: $id) { id finishedAt document } }"


class Domain:
    """A domain's public functions; it is away as often as it is told."""

    __name__ = "apps.blog.public"

    def __init__(self, away=0):
        self.away, self.erased = away, []

    def erase_user(self, user_id):
        self._answer()
        self.erased.append(user_id)

    def export_user(self, user_id):
        self._answer()
        return json.dumps({"author": user_id})

    def _answer(self):
        self.away -= 1
        if self.away >= 0:
            raise Unavailable("The blog is away.")


@pytest.fixture
def blog(monkeypatch):
    blog = Domain()
    monkeypatch.setattr(discovery, "modules", lambda name, *, remote=False: iter([blog] if remote else []))
    return blog


@pytest.fixture
def user():
    return UserFactory(email=EMAIL)


@pytest.fixture
def page(app, user):
    page = app()
    page.log_in(EMAIL, PASSWORD)
    return page


def test_an_account_is_deleted_everywhere_with_a_receipt(page, user, blog, app):
    request = page.graphql(DELETE)["data"]["deleteAccount"]["request"]

    assert (request["kind"], request["finishedAt"]) == ("ERASE", None)
    assert page.me() is None
    again = app()
    assert (again.log_in(EMAIL, PASSWORD)[0], again.me()) == (401, None)
    (mail,) = page.mails()
    assert blog.erased == [user.pk]
    assert not models.User.objects.exists()
    assert not UserSession.objects.exists()
    assert (mail.to, request["id"] in mail.body) == ([EMAIL], True)
    row = models.DataRequest.objects.get(pk=request["id"])
    assert (row.user_id, row.finished_at is not None) == (user.pk, True)


def test_a_domain_that_is_away_is_tried_again_and_the_account_kept_until_then(user, blog):
    request = services.delete_account(services.Actor(user_id=user.pk))
    blog.away = 1
    with pytest.raises(Unavailable):
        services.erase(request.id)

    assert models.User.objects.filter(pk=user.pk).exists()
    assert services.repository.get_request(request.id).finished_at is None
    services.erase(request.id)
    services.erase(request.id)
    assert blog.erased == [user.pk]
    assert not models.User.objects.exists()
    assert (tasks.erase.max_retries, tasks.export.max_retries) == (None, None)


def test_asking_twice_makes_one_request(user, blog):
    first, second = (services.export_account(services.Actor(user_id=user.pk)) for _ in range(2))

    assert first == second
    assert QueuedTask.objects.filter(task="accounts.export").count() == 1


def test_everything_that_is_kept_about_a_user_is_exported_for_seven_days(page, user, blog):
    request = page.graphql(EXPORT)["data"]["exportAccount"]["request"]
    page.mails()
    document = json.loads(page.graphql(READ, id=request["id"])["data"]["dataRequest"]["document"])

    assert document["blog"] == {"author": user.pk}
    assert document["accounts"]["email"] == EMAIL
    assert PASSWORD not in str(document)
    assert user.password not in str(document)
    long_ago = services.repository.get_request(int(request["id"])).finished_at - services.repository.EXPORTS_KEPT
    models.DataRequest.objects.update(finished_at=long_ago)
    tasks.clean_up()
    assert page.graphql(READ, id=request["id"])["data"]["dataRequest"]["document"] == ""


def test_nobody_reads_somebody_elses_request(page, user, blog):
    other = services.export_account(services.Actor(user_id=UserFactory().pk))
    answer = page.graphql(READ, id=str(other.id))

    assert answer["errors"][0]["extensions"]["reason"] == "REQUEST_NOT_FOUND"
    assert answer["data"] is None


@pytest.mark.parametrize("document", [DELETE, EXPORT, READ])
def test_a_log_in_of_long_ago_is_not_enough(page, user, blog, document, settings):
    settings.ACCOUNT_REAUTHENTICATION_TIMEOUT = -1
    answer = page.graphql(document, id="1")

    assert answer["errors"][0]["extensions"]["reason"] == "FRESH_LOGIN_NEEDED"
    assert not models.DataRequest.objects.exists()
    settings.ACCOUNT_REAUTHENTICATION_TIMEOUT = 300
    assert page.reauthenticate(PASSWORD)[0] == 200
    assert "FRESH_LOGIN_NEEDED" not in str(page.graphql(document, id="1"))


def test_a_staff_account_is_not_deleted_by_its_owner(app, blog):
    staff = StaffFactory()
    page = app()
    page.log_in(staff.email, PASSWORD)

    assert page.graphql(DELETE)["errors"][0]["extensions"]["reason"] == "STAFF_ACCOUNT"
    staff.refresh_from_db()
    assert staff.is_active
    assert not models.DataRequest.objects.exists()
