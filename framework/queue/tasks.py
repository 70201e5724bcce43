"""Background work that serves all domains."""

from celery import shared_task
from celery.schedules import crontab
from django.conf import settings

from framework.audit import trail
from framework.queue.liveness import record_heartbeat


@shared_task(name="queue.heartbeat")
def heartbeat() -> None:
    """Beat -> queue -> relay -> broker -> worker -> row: when the row is fresh, the whole way works."""
    record_heartbeat("queue")


@shared_task(name="queue.thin_audit")
def thin_audit() -> None:
    """Delete entries of the audit that are older than AUDIT_DAYS."""
    trail.thin(settings.AUDIT_DAYS)


SCHEDULE = {
    "heartbeat": {"task": "queue.heartbeat", "schedule": crontab()},
    "thin-audit": {"task": "queue.thin_audit", "schedule": crontab(minute="40")},
}
