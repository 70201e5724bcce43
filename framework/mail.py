"""Mail: what anybody may cause to be sent to an address, and Django's ways to send it."""

import hashlib
from collections.abc import Sequence

import structlog
from django.core import mail
from django.core.cache import cache
from django.core.mail import EmailMessage
from django.core.mail.backends import base, console, smtp

from framework import context

log = structlog.get_logger("mail")


AN_HOUR = 20  # mails to an address for one purpose


def send(purpose: str, subject: str, text: str, address: str) -> None:
    """Send a mail, unless the address has had AN_HOUR of them for this purpose: then it is dropped and logged.

    Purposes are counted apart, so that mails that strangers can cause do not use up those that a customer waits for.
    """
    key = f"mail:{purpose}:{hashlib.sha256(address.lower().encode()).hexdigest()}"
    cache.add(key, 0, timeout=3600)
    if cache.incr(key) > AN_HOUR:
        log.warning("mail is not sent: its address has had enough within the hour", purpose=purpose)
        return
    try:
        mail.send_mail(subject, text, None, [address])
    except Exception:
        cache.decr(key)
        raise


class _WithRequestId(base.BaseEmailBackend):
    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        for message in email_messages:
            if identifier := context.request_id():
                message.extra_headers.setdefault(context.REQUEST_ID_HEADER, identifier)
        return super().send_messages(email_messages)


class SmtpBackend(_WithRequestId, smtp.EmailBackend):
    """To the mail server of EMAIL_URL."""


class ConsoleBackend(_WithRequestId, console.EmailBackend):
    """To the terminal, for developers."""


class NoBackend(base.BaseEmailBackend):
    """Nowhere: a log is no place for addresses."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        log.warning("mail is lost: EMAIL_URL is not set", messages=len(email_messages))
        return 0
