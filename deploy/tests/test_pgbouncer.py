"""PgBouncer in transaction mode between every door and PostgreSQL: any statement may come to any connection."""

import contextlib
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import grpc
import pytest
from celery import current_app as app
from celery.schedules import schedule
from django.core.management import call_command
from django.db import connection, connections, transaction
from django.utils import timezone
from django_celery_beat.models import PeriodicTask
from structlog.testing import capture_logs

from apps.accounts.tests.factories import UserFactory
from apps.catalog.models import Product
from apps.catalog.rpc import CHUNK
from apps.catalog.tests.factories import ProductFactory
from apps.orders.models import Order
from deploy import pgbouncer
from framework import context
from framework.data import database
from framework.errors import DeadlineExceeded
from framework.grpc import service as rpc
from framework.grpc.auth import Authenticator
from framework.grpc.interceptors import Chain
from framework.grpc.tokens import parse_tokens
from framework.management.commands import migrate
from framework.queue import relay
from framework.queue.models import QueuedTask
from framework.queue.scheduler import Scheduler
from framework.queue.schedules import reconcile
from framework.queue.tasks import heartbeat
from framework.testing.grpc import serving
from protos.catalog.v1 import catalog_pb2 as pb
from protos.catalog.v1.catalog_pb2_grpc import CatalogServiceStub

pytestmark = [
    pytest.mark.postgresql,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(pgbouncer.PROGRAM is None, reason="needs pgbouncer"),
]

SIZE = 3  # connections of PgBouncer
THREADS = 12
TOKEN = "0123456789abcdef"
BEARER = (("authorization", f"Bearer {TOKEN}"),)
PLACE = """mutation ($key: String!, $lines: [OrderLineInput!]!) {
    placeOrder(key: $key, lines: $lines) { order { status lines { product { sku } } } } }"""


@pytest.fixture(autouse=True)
def _through_pgbouncer(transactional_db, monkeypatch):
    """Each thread connects through it, from a pool as in production."""
    given = connections.settings["default"]
    where = "postgres://{USER}:{PASSWORD}@{HOST}:{PORT}/{NAME}".format(**given | {"PORT": given["PORT"] or 5432})
    with pgbouncer.running(where, SIZE) as url:
        connections.close_all()
        monkeypatch.setitem(given, "HOST", "127.0.0.1")
        monkeypatch.setitem(given, "PORT", int(url.rpartition(":")[2].partition("/")[0]))
        monkeypatch.setitem(given, "CONN_MAX_AGE", 0)
        pool = {"min_size": 1, "max_size": THREADS, "timeout": 10}
        monkeypatch.setitem(given, "OPTIONS", given["OPTIONS"] | {"pool": pool})
        yield
        connections.close_all()
        connection.close_pool()


def at_once(job, count=THREADS):
    def work(number):
        try:
            return job(number)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(work, range(count)))


def value(sql):
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchone()[0]


def test_more_clients_than_connections_ask_place_orders_and_see_their_own_answers(graphql):
    product, customer = ProductFactory(stock=1000, sku="OAK"), UserFactory()
    apps = [graphql().login(customer) for _ in range(THREADS)]

    def order(number):
        lines = [{"productId": str(product.id), "quantity": 1}]
        placed = apps[number % THREADS].data(PLACE, key=f"k{number}", lines=lines)["placeOrder"]["order"]
        found = graphql().data("{ products { edges { node { sku } } } }")["products"]["edges"]
        return placed["status"], placed["lines"][0]["product"]["sku"], found[0]["node"]["sku"]

    assert at_once(order, 3 * THREADS) == [("PLACED", "OAK", "OAK")] * 3 * THREADS
    assert Order.objects.count() == QueuedTask.objects.filter(task="orders.send_confirmation").count() == 3 * THREADS
    assert Product.objects.get().stock == 1000 - 3 * THREADS


def test_streams_and_calls_outnumber_the_connections():
    products = ProductFactory.create_batch(2 * CHUNK + 1)
    chain = Chain(Authenticator(parse_tokens(f"shop:{TOKEN}")), 30, streams=THREADS // 2)

    with serving(rpc.register, chain, threads=THREADS // 2) as address, grpc.insecure_channel(address) as channel:
        catalog = CatalogServiceStub(channel)

        def ask(number):
            if number % 2:
                return catalog.GetProduct(
                    pb.GetProductRequest(product_id=products[number].id), metadata=BEARER
                ).product.id
            answers = catalog.StreamProducts(pb.StreamProductsRequest(), metadata=BEARER)
            return [product.id for answer in answers for product in answer.products]

        answers = at_once(ask)

    assert answers[1::2] == [product.id for product in products[1:THREADS:2]]
    assert answers[::2] == [sorted(product.id for product in products)] * (THREADS // 2)


def test_relays_share_the_queue():
    for _ in range(50):
        heartbeat.delay()

    assert sum(at_once(lambda _: relay.publish_due(app))) == 50
    assert set(QueuedTask.objects.values_list("published", flat=True)) == {1}
    app.control.purge()


def test_beats_queue_a_tick_once():
    reconcile({"beat": {"task": "queue.heartbeat", "schedule": schedule(60)}})
    PeriodicTask.objects.update(last_run_at=timezone.now() - timedelta(seconds=61))

    def tick(_):
        beat = Scheduler(app=app, lazy=True)
        beat.schedule  # noqa: B018 - reads the table, as a start does
        while beat.tick() == 0:
            pass

    at_once(tick, 4)

    assert QueuedTask.objects.filter(task="queue.heartbeat").count() == 1


def test_a_query_is_cancelled_at_its_deadline_and_no_other_is():
    def ask(number):
        if number:
            return [value(f"SELECT {number} FROM pg_sleep(0.01)") for _ in range(20)]
        with contextlib.suppress(DeadlineExceeded), context.within(0.2):
            return value("SELECT 0 FROM pg_sleep(20)")
        return "cancelled"

    started = time.monotonic()

    assert at_once(ask) == ["cancelled", *([number] * 20 for number in range(1, THREADS))]
    assert time.monotonic() - started < 10


def test_a_query_that_waits_for_a_connection_ends_soon_after_it_has_one():
    def ask(number):
        if number < SIZE:
            return value("SELECT 0 FROM pg_sleep(1)")
        time.sleep(0.2)
        with contextlib.suppress(DeadlineExceeded), context.within(0.2):
            return value("SELECT 0 FROM pg_sleep(20)")
        return "cancelled"

    assert at_once(ask, SIZE + 2) == [0] * SIZE + ["cancelled"] * 2


def test_a_queryset_can_be_iterated_over():
    ProductFactory.create_batch(30)

    found = at_once(lambda _: [product.pk for product in Product.objects.order_by("pk").iterator(chunk_size=2)])

    assert found == [list(Product.objects.order_by("pk").values_list("pk", flat=True))] * THREADS


def test_migrations_have_their_limits_and_nobody_else_has(monkeypatch):
    seen = []

    def migrating(self, *args, **options):
        value("SELECT 1")  # as with CREATE INDEX CONCURRENTLY, which cannot be in a transaction
        with transaction.atomic():
            seen.append(value("SELECT current_setting('lock_timeout')"))
            seen.append(value("SELECT current_setting('statement_timeout')"))

    before = value("SELECT current_setting('lock_timeout')")
    monkeypatch.setattr(migrate.migrate.Command, "handle", migrating)
    call_command("migrate")

    assert seen == ["5s", "5min"]
    assert set(at_once(lambda _: value("SELECT current_setting('lock_timeout') FROM pg_sleep(0.05)"))) == {before}


def test_the_poolers_connections_are_not_compared_with_the_servers():
    with capture_logs() as logs:
        database.check_room("web", 1000)

    assert logs == []
