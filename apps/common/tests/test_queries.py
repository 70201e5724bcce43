from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.db import IntegrityError, models, transaction
from django.db.models import Value
from django.db.models.functions import Now
from django.test.utils import isolate_apps

from apps.catalog.models import Product
from apps.catalog.tests.factories import ProductFactory
from apps.common.queries import KeptInsert, KeptQuery
from apps.infra.models import QueuedTask

pytestmark = pytest.mark.django_db

COLUMNS = ("id", "sku", "price", "is_active", "created_at")
BY_IDS = KeptQuery(lambda ids: Product.objects.filter(pk__among=ids).order_by("id").values_list(*COLUMNS))
DEARER = KeptQuery(
    lambda price, active: Product.objects.filter(price__gt=price, is_active=active).values_list("sku").order_by("sku")
)

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ADD = KeptInsert(
    lambda sku, price: Product(
        sku=sku, name="Chair", price=price, currency="EUR", stock=3, created_at=NOW, updated_at=NOW
    )
)
ENQUEUE = KeptInsert(
    lambda task_id, args, kwargs, headers: QueuedTask(
        task_id=task_id, task="t", args=args, kwargs=kwargs, headers=headers, queued_at=Value(NOW), due_at=Now()
    )
)


def test_a_kept_query_gives_what_django_gives():
    made = [ProductFactory(price=Decimal("19.90")), ProductFactory(is_active=False)]
    ids = [product.id for product in made]

    expected = list(Product.objects.filter(pk__in=ids).order_by("id").values_list(*COLUMNS))
    assert BY_IDS.run(ids) == expected
    assert BY_IDS.run(ids)[0][2:] == (Decimal("19.90"), True, datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))


def test_each_run_brings_its_own_values():
    one, two = ProductFactory(), ProductFactory()

    assert [row[0] for row in BY_IDS.run([one.id])] == [one.id]
    assert [row[0] for row in BY_IDS.run([two.id, one.id, 5])] == [one.id, two.id]
    assert BY_IDS.run([]) == []


def test_several_values_keep_their_places():
    ProductFactory(sku="A", price=Decimal(1))
    ProductFactory(sku="B", price=Decimal(3))
    ProductFactory(sku="C", price=Decimal(3), is_active=False)

    assert DEARER.run("2", True) == [("B",)]
    assert DEARER.run("0.5", False) == [("C",)]


def test_a_value_is_never_part_of_the_sql():
    ProductFactory(sku="A", price=Decimal(1))
    sku = KeptQuery(lambda sku: Product.objects.filter(sku=sku).values_list("id"))

    assert sku.run("x' OR '1' = '1") == []


def test_a_run_is_one_query(django_assert_num_queries):
    BY_IDS.run([1])
    with django_assert_num_queries(1):
        BY_IDS.run([1, 2])


def test_a_kept_insert_writes_what_django_writes(django_assert_num_queries):
    ADD.run("OTHER", Decimal("1.00"))
    with django_assert_num_queries(1):
        product_id = ADD.run("A", Decimal("19.90"))

    made = Product.objects.create(
        sku="B", name="Chair", price=Decimal("19.90"), currency="EUR", stock=3, created_at=NOW, updated_at=NOW
    )
    columns = [field.attname for field in Product._meta.concrete_fields if field.name not in ("id", "sku")]
    assert Product.objects.values(*columns).get(pk=product_id, sku="A") == Product.objects.values(*columns).get(
        pk=made.pk
    )


def test_values_are_converted_and_expressions_evaluated_by_the_database():
    task = QueuedTask.objects.get(pk=ENQUEUE.run("1", [1], {"to": ["a"], "x'": None}, {}))

    assert (task.args, task.kwargs, task.headers, task.queued_at) == ([1], {"to": ["a"], "x'": None}, {}, NOW)
    assert abs((task.due_at - datetime.now(UTC)).total_seconds()) < 60


def test_a_refusal_of_the_database_is_djangos():
    ADD.run("A", Decimal(1))
    with pytest.raises(IntegrityError), transaction.atomic():
        ADD.run("A", Decimal(2))
    assert [product.price for product in Product.objects.all()] == [Decimal(1)]


def test_an_error_within_a_transaction_ends_it_as_with_django():
    with transaction.atomic():
        ADD.run("A", Decimal(1))
        with pytest.raises(IntegrityError):
            ADD.run("A", Decimal(2))
        assert transaction.get_rollback()
        transaction.set_rollback(True)


def test_a_row_that_would_keep_a_moment_is_refused():
    with pytest.raises(TypeError, match=r"^QueuedTask[.]queued_at would be the same in each row: give it a value"):
        KeptInsert(lambda task_id, values: QueuedTask(task_id=task_id, args=values, kwargs=values, headers=values))


@isolate_apps("apps.infra")
def test_a_field_that_django_fills_is_refused():
    class Stamped(models.Model):  # noqa: DJ008
        at = models.DateTimeField(auto_now=True)

        class Meta:
            app_label = "infra"

    with pytest.raises(TypeError, match=r"^Stamped[.]at would be the same in each row"):
        KeptInsert(lambda at: Stamped(at=at))
