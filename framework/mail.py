"""Mail: one template makes text and HTML; each message has the id of the work that sent it."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import structlog
from django.conf import settings
from django.core.mail import EmailMessage, EmailMultiAlternatives
from django.core.mail.backends import base, smtp
from django.template.loader import render_to_string

from framework import context

log = structlog.get_logger("mail")
KEPT = 200  # messages of a developer's mailbox


def render(template: str, values: Mapping[str, Any]) -> tuple[str, str]:
    """Subject and text of `<template>.txt`, whose first line is the subject."""
    subject, _, text = render_to_string(f"{template}.txt", values).strip().partition("\n")
    return settings.EMAIL_SUBJECT_PREFIX + subject, text.strip()


def send(subject: str, text: str, recipients: Sequence[str]) -> None:
    """Send a text, and beside it the same as HTML. For tasks: a server that does not answer takes its time."""
    message = EmailMultiAlternatives(subject, text, None, recipients)
    message.attach_alternative(as_html(subject, text), "text/html")
    message.send()


def as_html(subject: str, text: str) -> str:
    """The text with its paragraphs and links."""
    return render_to_string("mail.html", {"subject": subject, "text": text})


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
