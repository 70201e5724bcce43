"""Django's ways to send mail, each message with the id of the work that sent it."""

from collections.abc import Sequence

import structlog
from django.core.mail import EmailMessage
from django.core.mail.backends import base, console, smtp

from framework import context

log = structlog.get_logger("mail")


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
