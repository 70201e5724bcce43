from datetime import UTC, datetime

import pytest
from django.db import IntegrityError, models, transaction
from django.db.models import Value
from django.db.models.functions import Now
from django.test.utils import isolate_apps

from framework.data.queries import KeptInsert, KeptQuery
from framework.queue.models import QueuedTask
from framework.tests.library.factories import UserFactory
from framework.tests.library.models import User

pytestmark = pytest.mark.django_db

JOINED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
COLUMNS = ("id", "email", "is_active", "date_joined")
BY_IDS = KeptQuery(lambda ids: User.objects.filter(pk__among=ids).order_by("id").values_list(*COLUMNS))
LATER = KeptQuery(
    lambda joined, active: User.objects.filter(date_joined__gt=joined, is_active=active).values_list("email")
)

ADD = KeptInsert(lambda email, joined: User(email=email, password="!", date_joined=joined))
ENQUEUE = KeptInsert(
    lambda task_id, args, kwargs, headers: QueuedTask(
        task_id=task_id, task="t", args=args, kwargs=kwargs, headers=headers, queued_at=Value(JOINED), due_at=Now()
    )
)


def test_a_kept_query_gives_what_django_gives():
    made = [UserFactory(date_joined=JOINED), UserFactory(is_active=False)]
    ids = [user.id for user in made]

    expected = list(User.objects.filter(pk__in=ids).order_by("id").values_list(*COLUMNS))
    assert BY_IDS.run(ids) == expected
    assert BY_IDS.run(ids)[0][2:] == (True, JOINED)


def test_each_run_brings_its_own_values():
    one, two = UserFactory(), UserFactory()

    assert [row[0] for row in BY_IDS.run([one.id])] == [one.id]
    assert [row[0] for row in BY_IDS.run([two.id, one.id, 5])] == [one.id, two.id]
    assert BY_IDS.run([]) == []


def test_several_values_keep_their_places():
    before, after = (JOINED.replace(year=year) for year in (2025, 2027))
    UserFactory(email="a@example.com", date_joined=JOINED)
    UserFactory(email="b@example.com", date_joined=after)
    UserFactory(email="c@example.com", date_joined=after, is_active=False)

    assert LATER.run(JOINED, True) == [("b@example.com",)]
    assert LATER.run(before, False) == [("c@example.com",)]


def test_a_value_is_never_part_of_the_sql():
    UserFactory(email="a@example.com")
    email = KeptQuery(lambda email: User.objects.filter(email=email).values_list("id"))

    assert email.run("x' OR '1' = '1") == []


def test_a_run_is_one_query(django_assert_num_queries):
    BY_IDS.run([1])
    with django_assert_num_queries(1):
        BY_IDS.run([1, 2])


def test_a_kept_insert_writes_what_django_writes(django_assert_num_queries):
    ADD.run("other@example.com", JOINED)
    with django_assert_num_queries(1):
        user_id = ADD.run("a@example.com", JOINED)

    made = User.objects.create(email="b@example.com", password="!", date_joined=JOINED)
    columns = [field.attname for field in User._meta.concrete_fields if field.name not in ("id", "email")]
    found = User.objects.values(*columns)
    assert found.get(pk=user_id, email="a@example.com") == found.get(pk=made.pk)


def test_values_are_converted_and_expressions_evaluated_by_the_database():
    task = QueuedTask.objects.get(pk=ENQUEUE.run("1", [1], {"to": ["a"], "x'": None}, {}))

    assert (task.args, task.kwargs, task.headers, task.queued_at) == ([1], {"to": ["a"], "x'": None}, {}, JOINED)
    assert abs((task.due_at - datetime.now(UTC)).total_seconds()) < 60


def test_a_refusal_of_the_database_is_djangos():
    ADD.run("a@example.com", JOINED)
    with pytest.raises(IntegrityError), transaction.atomic():
        ADD.run("a@example.com", datetime.now(UTC))
    assert [user.date_joined for user in User.objects.all()] == [JOINED]


def test_an_error_within_a_transaction_ends_it_as_with_django():
    with transaction.atomic():
        ADD.run("a@example.com", JOINED)
        with pytest.raises(IntegrityError):
            ADD.run("a@example.com", JOINED)
        assert transaction.get_rollback()
        transaction.set_rollback(True)


def test_a_row_that_would_keep_a_moment_is_refused():
    with pytest.raises(TypeError, match=r"^QueuedTask[.]queued_at would be the same in each row: make it an argument"):
        KeptInsert(lambda task_id, values: QueuedTask(task_id=task_id, args=values, kwargs=values, headers=values))


@isolate_apps("framework.queue")
def test_a_field_that_django_fills_is_refused():
    class Stamped(models.Model):  # noqa: DJ008
        at = models.DateTimeField(auto_now=True)

        class Meta:
            app_label = "queue"

    with pytest.raises(TypeError, match=r"^Stamped[.]at would be the same in each row"):
        KeptInsert(lambda at: Stamped(at=at))
