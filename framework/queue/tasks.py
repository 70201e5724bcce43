"""Background work that serves all domains."""

from celery import shared_task
from celery.schedules import crontab

from framework.queue.liveness import record_heartbeat


@shared_task(name="queue.heartbeat")
def heartbeat() -> None:
    """Beat -> queue -> relay -> broker -> worker -> row: when the row is fresh, the whole way works."""
    record_heartbeat("queue")


SCHEDULE = {"heartbeat": {"task": "queue.heartbeat", "schedule": crontab()}}
