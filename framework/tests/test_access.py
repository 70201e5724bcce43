"""The access matrix, made from the doors of the framework's own domain."""

import pytest
from django.contrib import admin

from framework.graphql.schema import join
from framework.testing import access, doors
from framework.tests.library import models
from framework.tests.library.factories import StaffFactory, UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def rows():
    """Each line of the matrix by its door: the answers in the order of the columns."""
    callers = access.cast(UserFactory(), UserFactory(), StaffFactory(), StaffFactory(is_superuser=True))
    book = models.Book.objects.create(title="Emma")
    found = doors.graphql(join().graphql_schema, {"library": {"id": str(book.id), "title": "Persuasion"}})
    text = access.table([*found, *doors.admin(admin.site)], callers)
    cells = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    return {door: answers for door, *answers in cells}


def test_each_caller_gets_an_answer_of_each_door(rows):
    assert rows["Query.book"] == ["yes"] * 6 + ["-", "-"]
    assert rows["Mutation.addBook"] == ["log in"] + ["yes"] * 5 + ["-", "-"]
    assert rows["front page"] == ["log in", "no", "no", "yes", "yes", "yes", "-", "-"]
    assert rows["library.Book: add"] == ["log in", "no", "no", "no", "no", "no", "-", "-"]
    assert rows["queue.QueuedTask: drop"] == ["log in", "no", "no", "no", "`queue.drop_queuedtask`", "yes", "-", "-"]


def test_rights_are_named_that_open_a_door_alone(rows):
    assert rows["library.Book: view"][4] == "`library.change_book`, `library.view_book`"


def test_knocking_changes_nothing(rows):
    assert [book.title for book in models.Book.objects.all()] == ["Emma"]
