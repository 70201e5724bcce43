"""An app whose worker notices dead workers fast: `celery -A framework.queue.tests.impatient_worker worker`."""

import os
import signal
import time
from datetime import timedelta
from pathlib import Path

from celery import Celery, shared_task
from django.conf import settings

from framework.queue.broker import queues

DATABASE, QUEUE = "IMPATIENT_DATABASE", "IMPATIENT_QUEUE"

if DATABASE in os.environ:  # in the worker; tests that import the tasks have an app
    settings.DATABASES["default"]["NAME"] = os.environ[DATABASE]
    app = Celery("impatient", task_cls="framework.queue.task:Task")
    app.config_from_object("framework.queue.celery_settings")
    app.conf.update(task_default_queue=os.environ[QUEUE], task_queues=queues(os.environ[QUEUE]))

    @app.on_after_finalize.connect
    def _shorten_leases(**_) -> None:
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
