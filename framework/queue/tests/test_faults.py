"""Real processes that die. The full sizes, and more faults: `./run bench faults`."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from base64 import b64encode
from collections import Counter
from datetime import timedelta
from uuid import uuid4

import pytest
from celery import Celery
from celery import current_app as app
from celery.schedules import schedule
from django.conf import settings
from django.db import connection, connections
from django.utils import timezone
from django_celery_beat.models import PeriodicTask

import framework.queue.tasks  # noqa: F401 - registers the task
from framework.queue import broker, relay, table
from framework.queue.models import Heartbeat, QueuedTask
from framework.queue.scheduler import Scheduler
from framework.queue.schedules import reconcile
from framework.queue.tests import impatient_worker

pytestmark = pytest.mark.django_db(transaction=True)

QUEUE = f"test-{uuid4().hex}"  # a broker that others use too must not mix them up
PATIENCE = 30.0


@pytest.fixture(scope="module")
def worker(django_db_setup, django_db_blocker):
    """A worker of two processes, on the tests' database and broker."""
    with django_db_blocker.unblock():
        database = str(connection.settings_dict["NAME"])
    with started_worker(database, QUEUE) as process:
        yield process


@contextlib.contextmanager
def started_worker(database: str, queue: str, *options: str, **environment: str):
    words = ["worker", "--pool", "prefork", "--concurrency", "2", "--loglevel", "ERROR", *options]
    own = {impatient_worker.DATABASE: database, impatient_worker.QUEUE: queue, "REDIS_URL": settings.REDIS_URL}
    process = subprocess.Popen(
        [sys.executable, "-m", "celery", "-A", impatient_worker.__name__, *words],
        env=os.environ | own | environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=settings.BASE_DIR,
        start_new_session=True,
    )
    try:
        yield process
        process.terminate()
        process.wait(10)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.fixture
def running(worker):
    """The worker, and a relay that publishes to it."""
    publisher = Celery("test", broker=settings.REDIS_URL, set_as_current=False)
    publisher.conf.update(task_default_queue=QUEUE, task_publish_retry=False)
    stop = threading.Event()
    thread = threading.Thread(target=in_a_thread, args=(relay.run, publisher, stop))
    thread.start()
    yield
    stop.set()
    thread.join()


def in_a_thread(function, *args) -> None:
    try:
        function(*args)
    finally:
        connections.close_all()


def wait_for(condition) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, list(QueuedTask.objects.values())
        time.sleep(0.02)


def nothing_is_queued() -> bool:
    return not QueuedTask.objects.filter(failed_at=None).exists()


def effects() -> set[str]:
    return set(Heartbeat.objects.exclude(name__in=["relay", "broker"]).values_list("name", flat=True))


def test_a_real_worker_runs_a_task_to_the_end(running):
    impatient_worker.effect.delay("a")
    wait_for(nothing_is_queued)

    assert effects() == {"a"}


def test_a_task_whose_worker_was_killed_is_done_once(running, tmp_path):
    impatient_worker.slow_at_first.delay("a", str(tmp_path))
    wait_for((tmp_path / "a").exists)
    os.kill(int((tmp_path / "a").read_text()), signal.SIGKILL)
    wait_for(nothing_is_queued)

    assert effects() == {"a"}


def test_a_task_that_runs_long_is_not_taken_for_dead_when_copies_of_it_come(running):
    impatient_worker.long.delay("a")
    wait_for(lambda: QueuedTask.objects.filter(starts=1).exists())
    for _ in range(5):
        QueuedTask.objects.update(due_at=timezone.now())
        time.sleep(0.3)
    wait_for(nothing_is_queued)

    assert effects() == {"a"}
    assert not QueuedTask.objects.exists()


def test_a_task_that_kills_its_worker_is_failed_and_holds_up_no_other(running):
    impatient_worker.poison.delay()
    wait_for(lambda: QueuedTask.objects.filter(starts=1).exists())
    names = {f"other-{number}" for number in range(5)}
    for name in names:
        impatient_worker.effect.delay(name)
    wait_for(lambda: effects() == names)
    assert QueuedTask.objects.get().failed_at is None
    wait_for(nothing_is_queued)

    assert QueuedTask.objects.get().starts == table.MAX_STARTS


def test_what_a_wiped_broker_held_is_published_again(running):
    impatient_worker.effect.apply_async(("a",), countdown=600)
    QueuedTask.objects.update(times_published=1)  # as if the broker had it
    broker.connect()._client.delete(broker.MARK)
    wait_for(nothing_is_queued)

    assert effects() == {"a"}


def test_a_task_that_a_shutdown_interrupts_is_given_back_within_the_grace(tmp_path):
    database, queue = str(connection.settings_dict["NAME"]), f"{QUEUE}-shutdown"
    publisher = Celery("test", broker=settings.REDIS_URL, set_as_current=False)
    publisher.conf.update(task_default_queue=queue, task_publish_retry=False)
    impatient_worker.slow_at_first.delay("a", str(tmp_path))
    with started_worker(database, queue, "--", "worker.soft_shutdown_timeout=1", REMAP_SIGTERM="SIGQUIT"):
        relay.publish_due(publisher)
        wait_for((tmp_path / "a").exists)
        QueuedTask.objects.update(due_at=timezone.now())
        relay.publish_due(publisher)  # a copy, which the worker drops
        wait_for(lambda: not broker.connect().waiting(queue))
        time.sleep(0.5)
    row = QueuedTask.objects.get()  # the worker has ended within 10 s

    assert (row.starts, row.leased_until, row.failed_at) == (0, None, None)
    assert row.due_at <= timezone.now()


def test_a_worker_goes_on_after_messages_that_cannot_be_decoded(running, worker):
    client = broker.connect()._client
    envelope = {"headers": {"task": "test.effect", "id": "x"}, "content-type": "application/json"}
    properties = {"delivery_tag": "t", "delivery_info": {"exchange": "", "routing_key": QUEUE}, "correlation_id": "x"}
    base64 = properties | {"body_encoding": "base64"}
    body = b64encode(b"{}").decode()
    for bad in (
        envelope | {"body": body, "content-encoding": "utf-8", "properties": base64},
        envelope | {"body": "*", "content-encoding": "utf-8", "properties": base64},
        {},
    ):
        client.lpush(QUEUE, json.dumps(bad))
    client.lpush(QUEUE, "no JSON")
    impatient_worker.effect.delay("a")
    wait_for(nothing_is_queued)

    assert effects() == {"a"}
    assert worker.poll() is None


@pytest.mark.postgresql
def test_two_relays_publish_each_task_once():
    for number in range(400):
        impatient_worker.effect.delay(str(number))
    published: Counter[str] = Counter()

    class Broker:
        conf = app.conf

        def send_task(self, name, args, kwargs, **options):
            published[args[0]] += 1
            time.sleep(0.0005)  # lets the other one run

    def publish_all() -> None:
        while relay.publish_due(Broker()):
            pass

    threads = [threading.Thread(target=in_a_thread, args=(publish_all,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert published == Counter(str(number) for number in range(400))


def test_two_beats_at_once_tick_once():
    reconcile({"beat": {"task": "queue.heartbeat", "schedule": schedule(60)}})
    rounds, gate = 10, threading.Barrier(2)

    def beat(number: int) -> None:
        scheduler = Scheduler(app=app, lazy=True)
        for _ in range(rounds):
            gate.wait()
            if number == 0:
                PeriodicTask.objects.update(last_run_at=timezone.now() - timedelta(seconds=61))
            gate.wait()
            scheduler._initial_read, scheduler._heap = True, None
            scheduler.schedule  # noqa: B018 - both have read that it is due
            gate.wait()
            while scheduler.tick() == 0:
                pass

    threads = [threading.Thread(target=in_a_thread, args=(beat, number)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert QueuedTask.objects.count() == rounds
