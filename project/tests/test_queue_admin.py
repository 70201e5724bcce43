"""Background work in the admin, by what staff may do with it."""

import pytest
from django.urls import reverse
from django.utils import timezone

from apps.accounts.tests.factories import LimitedStaffFactory
from framework.queue.models import QueuedTask

pytestmark = pytest.mark.django_db
LIST = reverse("admin:queue_queuedtask_changelist")


@pytest.fixture
def failed():
    return QueuedTask.objects.create(task_id="t1", task="shop.send", failed_at=timezone.now(), error="Traceback: s3")


@pytest.fixture
def staff(client):
    def log_in(*rights):
        client.force_login(LimitedStaffFactory(rights=["queue.view_queuedtask", *rights]))
        return client

    return log_in


def act(client, name, row):
    client.post(LIST, {"action": name, "_selected_action": [row.pk]})


def test_who_may_only_look_neither_retries_nor_drops_nor_reads_tracebacks(staff, failed):
    client = staff()
    act(client, "retry", failed)
    act(client, "drop", failed)
    page = client.get(reverse("admin:queue_queuedtask_change", args=[failed.pk])).content.decode()

    assert QueuedTask.objects.get().failed_at == failed.failed_at
    assert "shop.send" in page
    assert "Traceback: s3" not in page


def test_tracebacks_are_shown_to_who_may_read_them(staff, failed):
    client = staff("queue.view_error_queuedtask")

    assert "Traceback: s3" in client.get(reverse("admin:queue_queuedtask_change", args=[failed.pk])).content.decode()


def test_failed_tasks_are_retried_by_who_may(staff, failed):
    act(staff("queue.retry_queuedtask"), "retry", failed)

    assert QueuedTask.objects.get().failed_at is None


def test_failed_tasks_are_dropped_by_who_may(staff, failed):
    act(staff("queue.drop_queuedtask"), "drop", failed)

    assert not QueuedTask.objects.exists()
