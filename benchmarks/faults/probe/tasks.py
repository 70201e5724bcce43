"""What the harness has the workers do. Its tables have no constraint: a second effect shall be seen."""

import os
import signal
import time

from celery import shared_task
from django.db import connection

from benchmarks.faults.probe import stamps
from framework.queue.task import once


@shared_task(name="faults.work")
def work(number: int, seconds: float = 0.0) -> None:
    _write("faults_start", number)
    time.sleep(seconds)
    with once():
        _write("faults_effect", number)


@shared_task(name="faults.die")
def die(number: int) -> None:
    """Takes its worker with it."""
    _write("faults_start", number)
    os.kill(os.getpid(), signal.SIGKILL)


@shared_task(name="faults.tick")
def tick() -> None:
    """Only counted where it is queued."""


def _write(table: str, number: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {table} (number) VALUES (%s)", [number])


@shared_task(name="faults.stamp")
def stamp(number: int) -> None:
    stamps.stamp(number)
