"""What accounts does later, and by the clock."""

from functools import partial

from allauth.account.adapter import get_adapter
from celery import shared_task
from celery.schedules import crontab

from apps.accounts import repository, services
from framework import mail
from framework.data.batches import thin


@shared_task(name="accounts.send_mail")
def send_mail(subject: str, text: str, recipients: list[str]) -> None:
    """Send one mail of an account to each."""
    for address in recipients:
        mail.send("accounts", subject, text, address)


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
    thin(repository.forget_sessions)
    repository.forget_old_unverified()
    repository.forget_exports()


_SAMPLE = {
    "receipt": 123,
    "code": "ABCD-EFGH",
    "ip": "192.0.2.1",
    "user_agent": "Firefox",
    "timestamp": "2030-01-01 12:00",
    "from_email": "ann@example.com",
    "to_email": "ann@example.org",
    "deleted_email": "ann@example.org",
    "signup_url": "https://app.example.com/signup",
    "password_reset_url": "https://app.example.com/password/reset",
}
_OF_ENGINE = {
    "account": "account_already_exists email_changed email_confirmation email_confirmation_signup password_changed"
    " password_reset password_reset_code",
    "mfa": "recovery_codes_generated totp_activated totp_deactivated webauthn_added webauthn_removed",
    "socialaccount": "account_connected account_disconnected",
}
PREVIEWS = {name: partial(mail.render, f"accounts/mail/{name}", _SAMPLE) for name in ("erased", "exported")} | {
    name: partial(lambda prefix: get_adapter().text_of(prefix, "ann@example.com", _SAMPLE), f"{package}/email/{name}")
    for package, names in _OF_ENGINE.items()
    for name in names.split()
}
SCHEDULE = {"clean-up-accounts": {"task": "accounts.clean_up", "schedule": crontab(minute="45")}}
