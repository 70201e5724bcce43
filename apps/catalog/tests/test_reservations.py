from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from django.db import connections, transaction
from django.utils import timezone

from apps.catalog import models, repository, services, tasks
from apps.catalog.entities import Line, ProductDraft, ReservationStatus
from apps.catalog.tests.factories import ProductFactory
from framework.data import batches
from framework.errors import AlreadyExists, DomainError, FailedPrecondition, InvalidArgument, NotFound

pytestmark = pytest.mark.django_db

HELD, COMMITTED, RELEASED, EXPIRED = ReservationStatus
GONE = "RESERVATION_GONE"
THREADS = 8


@pytest.fixture
def product():
    return ProductFactory(stock=10)


def stock(*products):
    return [repository.get_product(product.id).stock for product in products]


def status(key="k"):
    return repository.find_reservation(key).status


def let_time_pass(key="k"):
    models.Reservation.objects.filter(key=key).update(expires_at=timezone.now() - timedelta(seconds=1))


def reserved_as(status, product, quantity=3):
    """A reservation under "k" in this status."""
    services.reserve("k", [Line(product.id, quantity)])
    if status is COMMITTED:
        services.commit("k")
    elif status is RELEASED:
        services.release("k")
    elif status is EXPIRED:
        let_time_pass()
        tasks.expire_reservations()


@pytest.mark.parametrize("state", ReservationStatus)
def test_what_is_off_the_shelf_in_each_state(product, state):
    reserved_as(state, product)

    assert status() is state
    assert stock(product) == [7 if state in (HELD, COMMITTED) else 10]


@pytest.mark.parametrize("state", ReservationStatus)
def test_release_gives_back_once_whatever_came_before(product, state):
    reserved_as(state, product)

    assert services.release("k").status is services.release("k").status is RELEASED

    assert status() is RELEASED
    assert stock(product) == [10]


@pytest.mark.parametrize("state", [HELD, COMMITTED])
def test_what_is_held_can_be_sold_once(product, state):
    reserved_as(state, product)

    assert services.commit("k").status is services.commit("k").status is COMMITTED

    assert status() is COMMITTED
    assert stock(product) == [7]


@pytest.mark.parametrize("state", [RELEASED, EXPIRED])
def test_what_was_given_back_cannot_be_sold(product, state):
    reserved_as(state, product)

    with pytest.raises(FailedPrecondition) as refused:
        services.commit("k")

    assert (refused.value.message, refused.value.reason) == (f"The reservation is {state}.", GONE)
    assert status() is state
    assert stock(product) == [10]


@pytest.mark.parametrize("state", [HELD, COMMITTED, EXPIRED])
def test_reserving_again_has_no_second_effect(product, state):
    reserved_as(state, product)

    again = services.reserve("k", [Line(product.id, 3)])

    assert again == repository.find_reservation("k")
    assert again.status is (COMMITTED if state is COMMITTED else HELD)
    assert stock(product) == [7]


def test_a_released_key_reserves_nothing_any_more(product):
    reserved_as(RELEASED, product)

    with pytest.raises(FailedPrecondition) as refused:
        services.reserve("k", [Line(product.id, 3)])

    assert refused.value.reason == GONE
    assert stock(product) == [10]


@pytest.mark.parametrize("state", [HELD, COMMITTED, EXPIRED])
@pytest.mark.parametrize("change", [{"quantity": 2}, {"product_id": 5}])
def test_a_key_is_not_good_for_other_lines(product, state, change):
    reserved_as(state, product)
    before = repository.find_reservation("k"), stock(product)

    with pytest.raises(AlreadyExists) as refused:
        services.reserve("k", [Line(product.id, 3)._replace(**change)])

    assert refused.value.reason == "KEY_REUSED"
    assert (repository.find_reservation("k"), stock(product)) == before


def test_all_lines_are_taken_or_none():
    enough, scarce = ProductFactory(stock=5), ProductFactory(stock=2)
    lines = [Line(enough.id, 5), Line(scarce.id, 3), Line(5, 1)]

    with pytest.raises(FailedPrecondition) as refused:
        services.reserve("k", lines)

    assert refused.value.reason == "OUT_OF_STOCK"
    assert refused.value.fields.keys() == {str(scarce.id), "5"}
    assert stock(enough, scarce) == [5, 2]
    assert repository.find_reservation("k") is None
    assert services.reserve("k", [Line(enough.id, 5), Line(scarce.id, 2)]).status is HELD
    assert stock(enough, scarce) == [0, 0]


def test_an_archived_product_is_not_reserved(product):
    models.Product.objects.update(is_active=False)

    with pytest.raises(FailedPrecondition):
        services.reserve("k", [Line(product.id, 1)])

    assert stock(product) == [10]


def test_an_expired_reservation_that_cannot_be_made_again_stays_expired(product):
    reserved_as(EXPIRED, product)
    models.Product.objects.update(stock=2)

    with pytest.raises(FailedPrecondition) as refused:
        services.reserve("k", [Line(product.id, 3)])

    assert refused.value.reason == "OUT_OF_STOCK"
    assert status() is EXPIRED
    assert stock(product) == [2]


def test_what_has_run_out_is_held_anew_when_it_is_asked_for_before_it_is_put_back(product):
    reserved_as(HELD, product)
    let_time_pass()

    again = services.reserve("k", [Line(product.id, 3)], seconds=60)
    tasks.expire_reservations()

    assert again == repository.find_reservation("k")
    assert again.expires_at > timezone.now()
    assert services.commit("k").status is COMMITTED
    assert stock(product) == [7]


def test_only_what_was_held_too_long_is_put_back_by_the_clock(product):
    for key in ("late", "in time", "sold"):
        services.reserve(key, [Line(product.id, 1)])
    let_time_pass("late")
    services.commit("sold")
    let_time_pass("sold")

    tasks.expire_reservations()
    tasks.expire_reservations()

    assert [status(key) for key in ("late", "in time", "sold")] == [EXPIRED, HELD, COMMITTED]
    assert stock(product) == [8]


@pytest.mark.parametrize("meanwhile", ["reserve", "commit", "release", "none"])
def test_what_changed_meanwhile_is_not_expired(product, meanwhile, monkeypatch):
    reserved_as(HELD, product)
    let_time_pass()
    keys = repository.expired_keys(1000)
    if meanwhile == "reserve":
        services.reserve("k", [Line(product.id, 3)])
    elif meanwhile == "none":
        models.Reservation.objects.all().delete()
    else:
        getattr(services, meanwhile)("k")
    before = repository.find_reservation("k"), stock(product)
    monkeypatch.setattr(repository, "expired_keys", lambda _: keys)

    tasks.expire_reservations()

    assert (repository.find_reservation("k"), stock(product)) == before


def test_what_ended_long_ago_is_deleted_in_small_transactions(product, monkeypatch):
    monkeypatch.setattr(batches, "BATCH", 2)
    for number in range(5):
        services.reserve(f"sold {number}", [Line(product.id, 1)])
        services.commit(f"sold {number}")
    services.release("released")
    services.reserve("held", [Line(product.id, 1)])
    long_ago = timezone.now() - tasks.KEPT - timedelta(hours=1)
    models.Reservation.objects.update(created_at=long_ago)
    services.reserve("new", [Line(product.id, 1)])
    services.commit("new")

    tasks.thin_reservations()
    tasks.thin_reservations()

    assert sorted(models.Reservation.objects.values_list("key", flat=True)) == ["held", "new"]
    assert models.ReservationLine.objects.count() == 2
    assert stock(product) == [3]


def test_a_batch_deletes_the_oldest_and_no_more_than_it_may(product, django_assert_max_num_queries):
    for number in range(5):
        services.release(f"k{number}")
        made = timezone.now() - timedelta(days=5 - number)
        models.Reservation.objects.filter(key=f"k{number}").update(created_at=made)

    with django_assert_max_num_queries(6):
        assert repository.thin_reservations(timezone.now() - timedelta(days=2), 2) == 2

    assert sorted(models.Reservation.objects.values_list("key", flat=True)) == ["k2", "k3", "k4"]


def test_nothing_is_sold_that_was_not_reserved():
    with pytest.raises(NotFound) as refused:
        services.commit("k")

    assert refused.value.reason == "RESERVATION_NOT_FOUND"


@pytest.mark.parametrize("function", [services.commit, services.release])
@pytest.mark.parametrize("key", ["", "x" * 65, "a\0b"])
def test_a_key_that_cannot_be(function, key):
    with pytest.raises(InvalidArgument):
        function(key)

    assert not models.Reservation.objects.exists()


def test_no_reservation_is_part_of_the_callers_transaction(product):
    reserved_as(HELD, product)

    for write in (
        lambda: services.reserve("n", [Line(product.id, 1)]),
        lambda: services.commit("k"),
        lambda: services.release("k"),
    ):
        with transaction.atomic(), pytest.raises(RuntimeError):
            write()

    assert status() is HELD
    assert stock(product) == [7]


def at_once(jobs):
    """The results of the jobs, of which THREADS run at a time; the first of them begin together."""
    together = Barrier(THREADS)

    def work(number, job):
        try:
            if number < THREADS:
                together.wait(timeout=10)
            return job()
        except DomainError as refused:
            return refused.reason
        finally:
            connections.close_all()

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(work, range(len(jobs)), jobs))


def reserving(key, *lines):
    return lambda: services.reserve(key, [Line(product.id, quantity) for product, quantity in lines]).status


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_the_last_items_are_reserved_once():
    product = ProductFactory(stock=5)

    results = at_once([reserving(f"k{n}", (product, 1)) for n in range(80)])

    assert Counter(results) == {HELD: 5, "OUT_OF_STOCK": 75}
    assert stock(product) == [0]


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_copies_of_a_reservation_take_once():
    product = ProductFactory(stock=100)

    results = at_once([reserving("k", (product, 2))] * 40)

    assert set(results) == {HELD}
    assert stock(product) == [98]


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_nobody_waits_in_a_circle_for_products_nor_for_an_import():
    products = [ProductFactory(stock=1000, sku=f"SKU-{9 - number}") for number in range(6)]  # by SKU the other way
    drafts = [ProductDraft(product.sku, product.name, product.price) for product in products]
    columns = ("sku", "name", "price")
    jobs = []
    for number in range(60):
        lines = [(product, 1) for product in products[:: 1 if number % 2 else -1]]
        jobs.append(reserving(f"k{number}", *lines))
        if number % 3 == 0:
            jobs.append(lambda key=f"k{number - 3}": services.release(key).status)
            jobs.append(lambda: repository.upsert_products(drafts, columns))

    results = at_once(jobs)

    held = models.Reservation.objects.filter(status=HELD).count()
    assert set(results) <= {HELD, RELEASED, None, GONE}
    assert stock(*products) == [1000 - held] * 6


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_what_is_sold_given_back_and_expired_at_once_is_counted_once():
    product = ProductFactory(stock=100)
    keys = [f"k{n}" for n in range(12)]
    for key in keys:
        services.reserve(key, [Line(product.id, 1)])
        let_time_pass(key)
    functions = (services.commit, services.release, services.expire)

    at_once([lambda f=function, key=key: f(key) for key in keys for function in functions])

    assert {status(key) for key in keys} == {RELEASED}
    assert stock(product) == [100]
