import pytest
from django.db import IntegrityError, transaction

from framework.data.constraints import is_taken
from framework.queue.models import DeclaredSchedule, QueuedTask

pytestmark = pytest.mark.django_db


def refused(write):
    with pytest.raises(IntegrityError) as error, transaction.atomic():
        write()
    return error.value


def test_a_declared_constraint_is_told_by_its_fields():
    QueuedTask.objects.create(task_id="a", task="t")
    error = refused(lambda: QueuedTask.objects.create(task_id="a", task="t"))

    assert is_taken(error, QueuedTask, "task_id")
    assert not is_taken(error, QueuedTask, "task")
    assert not is_taken(error, DeclaredSchedule, "name")


def test_so_is_a_field_that_is_unique_by_itself():
    DeclaredSchedule.objects.create(name="a", declaration={})
    error = refused(lambda: DeclaredSchedule.objects.create(name="a", declaration={}))

    assert is_taken(error, DeclaredSchedule, "name")
    assert not is_taken(error, QueuedTask, "task_id")


def test_another_violation_is_none():
    error = refused(lambda: QueuedTask.objects.create(task_id=None, task="t"))

    assert not is_taken(error, QueuedTask, "task_id")
