"""What accounts does later, and by the clock."""

from celery import shared_task
from celery.schedules import crontab

from apps.accounts import repository
from framework import mail
from framework.data.batches import thin


@shared_task(name="accounts.send_mail")
def send_mail(subject: str, text: str, recipients: list[str]) -> None:
    """Send one mail of the account engine to each."""
    for address in recipients:
        mail.send("accounts", subject, text, address)


@shared_task(name="accounts.clean_up")
def clean_up() -> None:
    """Delete sessions that have expired, and accounts that nobody has verified."""
    thin(repository.forget_sessions)
    repository.forget_unverified()


SCHEDULE = {"clean-up-accounts": {"task": "accounts.clean_up", "schedule": crontab(minute="45")}}
