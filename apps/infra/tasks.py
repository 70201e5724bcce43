"""Background work that serves all domains."""

from celery import shared_task
from celery.schedules import crontab

from apps.infra.heartbeat import note


@shared_task(name="infra.heartbeat")
def heartbeat() -> None:
    """Beat -> queue -> relay -> broker -> worker -> row: when the row is fresh, the whole way works."""
    note("queue")


SCHEDULE = {"heartbeat": {"task": "infra.heartbeat", "schedule": crontab()}}
