"""What accounts does later, and by the clock."""

from celery import shared_task
from celery.schedules import crontab
from django.core.management import call_command

from apps.accounts import repository, services
from framework import mail


@shared_task(name="accounts.send_mail")
def send_mail(subject: str, text: str, recipients: list[str]) -> None:
    """Send one mail."""
    mail.send(subject, text, recipients)


@shared_task(name="accounts.erase", max_retries=None, retry_backoff_max=3600)
def erase(request_id: int) -> None:
    """Erase an account everywhere; tried until every domain has done it."""
    services.erase(request_id)


@shared_task(name="accounts.export", max_retries=None, retry_backoff_max=3600)
def export(request_id: int) -> None:
    """Collect what all domains keep about a user; tried until every domain has answered."""
    services.export(request_id)


@shared_task(name="accounts.clean_up")
def clean_up() -> None:
    """Delete sessions that have expired, accounts that nobody has verified, and old exports."""
    call_command("clearsessions")
    repository.forget_old_unverified()
    repository.forget_exports()


SCHEDULE = {"clean-up-accounts": {"task": "accounts.clean_up", "schedule": crontab(minute="45")}}
