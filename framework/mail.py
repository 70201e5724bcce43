"""Mail: one template makes text and HTML; what anybody may cause to be sent to an address; and ways to send it."""

import hashlib
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import structlog
from django.conf import settings
from django.core.cache import cache
from django.core.mail import EmailMessage, EmailMultiAlternatives
from django.core.mail.backends import base, smtp
from django.template.loader import render_to_string

from framework import context

log = structlog.get_logger("mail")
AN_HOUR = 20  # mails to an address for one purpose
KEPT = 200  # messages of a developer's mailbox


def render(template: str, values: Mapping[str, Any]) -> tuple[str, str]:
    """Subject and text of `<template>.txt`, whose first line is the subject."""
    subject, _, text = render_to_string(f"{template}.txt", values).strip().partition("\n")
    return settings.EMAIL_SUBJECT_PREFIX + subject, text.strip()


def as_html(subject: str, text: str) -> str:
    """The text with its paragraphs and links."""
    return render_to_string("mail.html", {"subject": subject, "text": text})


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
        message = EmailMultiAlternatives(subject, text, None, [address])
        message.attach_alternative(as_html(subject, text), "text/html")
        message.send()
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


class _Folder(base.BaseEmailBackend):
    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        folder().mkdir(exist_ok=True)
        for message in email_messages:
            (folder() / f"{time.time_ns()}.eml").write_bytes(message.message().as_bytes())
        for old in sorted(folder().glob("*.eml"))[:-KEPT]:
            old.unlink(missing_ok=True)
        log.info("mail is kept: read it at /mailbox/", messages=len(email_messages))
        return len(email_messages)


class MailboxBackend(_WithRequestId, _Folder):
    """To the mailbox page of developers."""


def folder() -> Path:
    """Where the mailbox keeps its messages."""
    return Path(settings.DATA_DIR) / "mail"


class NoBackend(base.BaseEmailBackend):
    """Nowhere: a log is no place for addresses."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        log.warning("mail is lost: EMAIL_URL is not set", messages=len(email_messages))
        return 0
