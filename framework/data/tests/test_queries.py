import re
from datetime import UTC, datetime

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext

from framework.data.queries import CompiledQuery, CompiledWrite
from framework.queue.models import QueuedTask

pytestmark = pytest.mark.django_db

QUEUED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
COLUMNS = ("id", "task_id", "starts", "queued_at", "failed_at")
BY_IDS = CompiledQuery(lambda ids: QueuedTask.objects.filter(pk__any_of=ids).order_by("id").values_list(*COLUMNS))
BY_NAMES = CompiledQuery(lambda names: QueuedTask.objects.filter(task_id__any_of=names).values_list("task_id"))
LATER = CompiledQuery(
    lambda moment, starts: QueuedTask.objects.filter(queued_at__gt=moment, starts=starts).values_list("task_id")
)
BY_NAME = CompiledQuery(lambda name: QueuedTask.objects.filter(task_id=name).values_list("id"))

START = CompiledWrite(
    lambda name, starts: QueuedTask.objects.filter(task_id=name, starts=starts), lambda: {"starts": F("starts") + 1}
)
DELETE = CompiledWrite(lambda name: QueuedTask.objects.filter(task_id=name))


def queued(name="a", **values):
    return QueuedTask.objects.create(**{"task_id": name, "task": "t", "queued_at": QUEUED} | values)


def test_a_compiled_query_gives_what_django_gives():
    ids = [queued("a").id, queued("b", starts=2, failed_at=QUEUED).id]

    expected = list(QueuedTask.objects.filter(pk__in=ids).order_by("id").values_list(*COLUMNS))
    assert BY_IDS.run(ids) == expected
    assert BY_IDS.run(ids)[1][1:] == ("b", 2, QUEUED, QUEUED)


def test_each_run_brings_its_own_values():
    one, two = queued("a").id, queued("b").id

    assert [row[0] for row in BY_IDS.run([one])] == [one]
    assert [row[0] for row in BY_IDS.run([two, one, 5])] == [one, two]
    assert BY_IDS.run([]) == []
    assert BY_NAMES.run(["b", "c", "x'"]) == [("b",)]


def test_several_values_keep_their_places():
    before, after = (QUEUED.replace(year=year) for year in (2025, 2027))
    queued("a")
    queued("b", queued_at=after)
    queued("c", queued_at=after, starts=2)

    assert LATER.run(QUEUED, 0) == [("b",)]
    assert LATER.run(before, 2) == [("c",)]


def test_a_value_is_never_part_of_the_sql():
    queued()

    assert BY_NAME.run("x' OR '1' = '1") == []


def test_a_run_is_one_query(django_assert_num_queries):
    BY_IDS.run([1])
    with django_assert_num_queries(1):
        BY_IDS.run([1, 2])


def test_each_value_is_converted_by_its_column():
    made = queued("7")

    assert BY_IDS.run([str(made.id)])[0][0] == made.id
    assert BY_NAME.run(7) == [(made.id,)]
    assert BY_NAMES.run([7, 8]) == [("7",)]
    assert LATER.run("2026-01-02T03:04:04Z", "0") == [("7",)]
    assert LATER.run("2026-01-02T03:04:05Z", "0") == []


@pytest.mark.parametrize(
    ("run", "error", "message"),
    [
        (lambda: LATER.run(QUEUED, None), TypeError, "starts is None: SQL finds no row equal to NULL"),
        (lambda: BY_IDS.run([1, None]), TypeError, "ids is None: SQL finds no row equal to NULL"),
        (lambda: BY_IDS.run(["x"]), ValueError, "Field 'id' expected a number but got 'x'"),
        (lambda: BY_IDS.run([object()]), TypeError, "Field 'id' expected a number but got <object"),
        (lambda: LATER.run("never", 0), ValidationError, "“never” value has an invalid format"),
    ],
)
def test_a_value_that_its_column_does_not_take_is_refused_before_it_is_sent(run, error, message):
    queued()

    with CaptureQueriesContext(connection) as sent, pytest.raises(error, match=re.escape(message)):
        run()

    assert len(sent) == 0


def test_a_parameter_that_is_compared_with_no_column_is_refused():
    with pytest.raises(TypeError, match=r"^CompiledQuery: not compared with a column: other[.]$"):
        CompiledQuery(lambda name, other: QueuedTask.objects.filter(task_id=name).values_list("id"))


def test_a_compiled_write_writes_the_rows_of_each_runs_values_and_counts_them():
    for name in "ab":
        queued(name)

    assert [START.run("a", 0), START.run("a", 0), START.run("a", 1)] == [1, 0, 1]
    assert dict(QueuedTask.objects.values_list("task_id", "starts")) == {"a": 2, "b": 0}
    assert [DELETE.run("b"), DELETE.run("b")] == [1, 0]
    assert list(QueuedTask.objects.values_list("task_id", flat=True)) == ["a"]
