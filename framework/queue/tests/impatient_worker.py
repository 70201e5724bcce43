"""The worker of test_faults.py: `celery -A framework.queue.tests.impatient_worker worker`, on the tests' database.

Its lease on a running task is 1.5 seconds, so that a killed worker is noticed soon.
"""

import os
import signal
import time
from datetime import timedelta
from pathlib import Path

from celery import shared_task
from django.conf import settings

DATABASE, QUEUE = "IMPATIENT_DATABASE", "IMPATIENT_QUEUE"

if DATABASE in os.environ:
    settings.DATABASES["default"]["NAME"] = os.environ[DATABASE]

from framework.queue.broker import queues  # noqa: E402 - after the database it is to use
from framework.tests.celery import app  # noqa: E402

if DATABASE in os.environ:
    app.conf.update(task_default_queue=os.environ[QUEUE], task_queues=queues(os.environ[QUEUE]))


@app.on_after_finalize.connect
def _shorten_leases(**_) -> None:
    if DATABASE in os.environ:
        import django

        django.setup()
        from framework.queue import table

        table.LEASE = timedelta(seconds=1.5)


@shared_task(name="test.effect")
def effect(name: str) -> None:
    _write(name)


@shared_task(name="test.slow_at_first")
def slow_at_first(name: str, folder: str) -> None:
    """The first time it takes too long for anybody to wait."""
    seen = Path(folder) / name
    if not seen.exists():
        part = seen.with_suffix(".part")
        part.write_text(str(os.getpid()))
        part.rename(seen)
        time.sleep(60)
    _write(name)


@shared_task(name="test.long")
def long(name: str) -> None:
    """Runs for longer than a lease."""
    time.sleep(3)
    _write(name)


@shared_task(name="test.poison")
def poison() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _write(name: str) -> None:
    """An effect that cannot be had twice without an error."""
    from django.utils import timezone

    from framework.queue.models import Heartbeat
    from framework.queue.task import once

    with once():
        Heartbeat.objects.create(name=name, at=timezone.now())
