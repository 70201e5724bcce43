"""The admin's front page says what needs a person."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from apps.accounts.tests.factories import LimitedStaffFactory, StaffFactory
from framework.management.commands.schedules import Command as Schedules
from framework.observe.health import SILENCE
from framework.queue.liveness import record_heartbeat
from framework.queue.models import Heartbeat, QueuedTask

pytestmark = pytest.mark.django_db
HOME = reverse("admin:index")


@pytest.fixture
def home(client):
    """The lines of each section, as a staff user sees them."""

    def of(user):
        client.force_login(user)
        sections = client.get(HOME).context["sections"]
        return {title: [(line.text, line.detail) for line in lines] for title, lines in sections.items()}

    return of


@pytest.fixture
def all_works():
    for part in SILENCE:
        record_heartbeat(part)


@pytest.mark.usefixtures("all_works")
def test_when_nothing_needs_a_person_it_says_so(home, client):
    assert home(StaffFactory())["Needs a person"] == []
    assert "Nothing needs you now." in client.get(HOME).content.decode()


@pytest.mark.usefixtures("all_works")
def test_parts_that_are_silent_and_tasks_that_failed_are_listed(home):
    Heartbeat.objects.filter(name="beat").update(at=timezone.now() - timedelta(hours=1))
    for number in range(2):
        QueuedTask.objects.create(task_id=f"t{number}", task="shop.send_mail", failed_at=timezone.now())

    assert home(StaffFactory())["Needs a person"] == [
        ("The beat is silent", "No schedule runs: does its process run?"),
        ("shop.send_mail failed", "2 to retry or drop"),
    ]


def test_schedules_are_listed_with_their_runs(home):
    Schedules().handle()

    lines = dict(home(StaffFactory())["Schedules (UTC)"])
    assert lines["heartbeat"].startswith("last: never, next: 20")


def test_it_shows_what_the_user_may_view_only(home):
    QueuedTask.objects.create(task_id="t1", task="shop.send_mail", failed_at=timezone.now())

    assert home(LimitedStaffFactory()) == {"Needs a person": []}
    assert home(LimitedStaffFactory(rights=["queue.view_queuedtask"])) == {
        "Needs a person": [("shop.send_mail failed", "1 to retry or drop")]
    }
