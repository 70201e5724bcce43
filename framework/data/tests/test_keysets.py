import contextlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import pytest

from framework.data import keysets
from framework.errors import InvalidArgument
from framework.pages import MAX_COUNT, Keyset, token
from framework.queue.models import QueuedTask

pytestmark = pytest.mark.django_db

QUEUED = datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)
EVERY = QueuedTask.objects.all()


class Queued(NamedTuple):
    id: int
    task_id: str
    queued_at: datetime


def add(number, queued_at=QUEUED):
    QueuedTask.objects.create(task_id=f"t{number}", task="t", queued_at=queued_at)


def pages(keyset, first, compiled):
    found, after = [], ""
    while True:
        page = keysets.fetch(EVERY, Queued, keyset, first=first, after=after, compiled=compiled)
        assert page.keyset == keyset
        found += page.items
        after = page.next_token
        if not after:
            return found
        assert after == page.cursor(page.items[-1])


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("order", ["task_id", "-task_id", "queued_at", "-queued_at"])
def test_pages_hold_every_row_once_in_order_under_ties(order, compiled):
    for number in range(9):
        add(number, QUEUED + timedelta(microseconds=number % 2))
    every = [Queued(task.id, task.task_id, task.queued_at) for task in EVERY.all()]
    column = order.removeprefix("-")

    found = pages(Keyset("tasks", order), 2, compiled)

    key = lambda row: (getattr(row, column), row.id)  # noqa: E731
    assert found == sorted(every, key=key, reverse=order.startswith("-"))


def made_up(keyset, value):
    """A token that a client wrote: the digest of a true one, and a value of its own."""
    digest = urlsafe_b64decode(token(keyset, Queued(1, "a", QUEUED)))[:8]
    return urlsafe_b64encode(digest + f"7:{value}".encode()).decode()


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize(
    ("order", "value"),
    [
        ("task_id", "a\0"),
        ("task_id", "a" * 65),
        ("queued_at", ""),
        ("queued_at", "yesterday"),
        ("queued_at", "2026-01-02"),
        ("queued_at", "2026-01-02 03:04:05"),
        ("queued_at", "2026-13-02 03:04:05+00:00"),
        ("id", "9" * 5000),
        ("id", "9223372036854775808"),
        ("id", "07"),
    ],
)
def test_a_value_that_the_column_cannot_hold_is_refused(order, value, compiled):
    keyset = Keyset("tasks", order)

    with pytest.raises(InvalidArgument) as refused:
        keysets.fetch(EVERY, Queued, keyset, first=2, after=made_up(keyset, value), compiled=compiled)

    assert refused.value.reason == "BAD_PAGE_TOKEN"


@pytest.mark.parametrize("value", ["0001-01-01 00:00:00+14:00", "9999-12-31 23:59:59-14:00"])
def test_a_moment_beyond_the_calendar_is_no_error_of_the_database(value):
    keyset = Keyset("tasks", "queued_at")
    with contextlib.suppress(InvalidArgument):  # SQLite cannot be asked for it, PostgreSQL can
        assert keysets.fetch(EVERY, Queued, keyset, first=2, after=made_up(keyset, value)).items == []


def test_a_count_ends_at_its_bound(django_assert_num_queries, monkeypatch):
    for number in range(4):
        add(number)
    with django_assert_num_queries(1) as sent:
        assert keysets.count(EVERY) == 4
    assert f"LIMIT {MAX_COUNT + 1}" in sent[0]["sql"]

    monkeypatch.setattr(keysets, "MAX_COUNT", 2)
    assert keysets.count(EVERY) == 3
