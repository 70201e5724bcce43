"""What accounts does later, and by the clock."""

from celery import shared_task
from celery.schedules import crontab
from django.core import mail
from django.core.management import call_command


@shared_task(name="accounts.send_mail")
def send_mail(subject: str, text: str, recipients: list[str]) -> None:
    """Send one mail of the account engine."""
    mail.send_mail(subject, text, None, recipients)


@shared_task(name="accounts.clear_sessions")
def clear_sessions() -> None:
    """Delete the sessions that have expired."""
    call_command("clearsessions")


SCHEDULE = {"clear-sessions": {"task": "accounts.clear_sessions", "schedule": crontab(minute="45")}}
