import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.utils import timezone

from framework import ids
from framework.errors import InvalidArgument
from framework.queue.models import Heartbeat


def beats(count: int) -> list[Heartbeat]:
    return [Heartbeat(name=f"b{number}", at=timezone.now()) for number in range(count)]


@pytest.mark.django_db
def test_every_way_to_write_a_row_gives_an_id():
    created = Heartbeat.objects.create(name="created", at=timezone.now())
    saved = Heartbeat(name="saved", at=timezone.now())
    saved.save()
    bulk = Heartbeat.objects.bulk_create(beats(3))
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO queue_heartbeat (name, at) VALUES ('raw', CURRENT_TIMESTAMP)")
    raw = Heartbeat.objects.get(name="raw")
    found = [row.pk for row in (created, saved, *bulk, raw)]

    assert found == sorted(found)
    assert len(set(found)) == 6
    for identifier in found:
        assert abs(ids.created_at(identifier) - datetime.now(UTC)) < timedelta(seconds=30)


@pytest.mark.django_db
def test_an_id_names_its_shard():
    assert ids.shard(Heartbeat.objects.create(name="a", at=timezone.now()).pk) == 0
    assert ids.shard(ids.compose(12345, 63)) == 63


@pytest.mark.django_db
def test_a_row_may_bring_its_own_id():
    Heartbeat.objects.create(pk=7, name="a", at=timezone.now())

    assert Heartbeat.objects.get().pk == 7


def test_an_id_fits_into_64_bits_until_the_end_of_its_epoch():
    last = ids.compose((1 << 41 + ids.SEQUENCE_BITS) - 1, 63)

    assert last == (1 << 63) - 1
    assert ids.created_at(last).year == 2094


def test_ids_of_many_threads_are_different_and_grow():
    found: list[list[int]] = []

    def make() -> None:
        found.append([ids.next_id() for _ in range(5_000)])

    threads = [threading.Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len({identifier for made in found for identifier in made}) == 20_000
    assert all(made == sorted(made) for made in found)


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_bulk_inserts_from_many_connections_do_not_collide():
    failures: list[Exception] = []

    def insert() -> None:
        try:
            with connection.cursor() as cursor:
                for part in range(3):
                    cursor.execute(
                        "INSERT INTO queue_heartbeat (name, at)"
                        " SELECT md5(random()::text || %s || n), now() FROM generate_series(1, 10000) n",
                        [f"{threading.get_ident()}-{part}"],
                    )
        except Exception as error:
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=insert) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    assert Heartbeat.objects.count() == 240_000


@pytest.mark.parametrize("text", ["", "x", "-1", "1.0", " 1", "１", str(1 << 63), "9" * 40])
def test_what_is_no_id_is_refused(text):
    with pytest.raises(InvalidArgument) as refused:
        ids.parse(text, field="productId")

    assert refused.value.fields == {"productId": "not an id"}


@pytest.mark.parametrize("number", [0, 1, (1 << 63) - 1])
def test_an_id_is_read_from_text(number):
    assert ids.parse(str(number)) == number
