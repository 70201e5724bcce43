"""For developers: the mails that were sent, and previews of all that domains send. Served under DEBUG only.

`PREVIEWS` of a domain's `tasks.py` has by name functions that give subject and text with made-up values.
"""

from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path

from framework import discovery, mail

CSP = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"  # HTML of mails has inline styles


def mailbox(request: HttpRequest) -> HttpResponse:
    """The messages, the newest first, and the names of the previews."""
    files = sorted(mail.folder().glob("*.eml"), reverse=True)
    messages = [(file.stem, _read(file)) for file in files]
    return render(request, "mailbox.html", {"messages": messages, "previews": sorted(_previews())})


def message(request: HttpRequest, name: str, kind: str) -> HttpResponse:
    found = _read(mail.folder() / f"{int(name)}.eml").get_body((kind,))
    return _page(found.get_content() if found else "", kind)


def preview(request: HttpRequest, name: str, kind: str) -> HttpResponse:
    if name not in (previews := _previews()):
        raise Http404
    subject, text = previews[name]()
    return _page(mail.as_html(subject, text) if kind == "html" else f"{subject}\n\n{text}", kind)


urlpatterns = [
    path("mailbox/", mailbox, name="mailbox"),
    path("mailbox/<slug:name>.<slug:kind>", message, name="mailbox_message"),
    path("mailbox/previews/<slug:name>.<slug:kind>", preview, name="mailbox_preview"),
]


def _page(content: str, kind: str) -> HttpResponse:
    answer = HttpResponse(content, content_type=f"text/{kind}; charset=utf-8")
    answer["Content-Security-Policy"] = CSP
    return answer


def _read(file: Path) -> EmailMessage:
    if not file.exists():
        raise Http404
    return message_from_bytes(file.read_bytes(), _class=EmailMessage, policy=policy.default)


def _previews() -> dict[str, Any]:
    modules = discovery.modules("tasks")
    return {name: made for module in modules for name, made in getattr(module, "PREVIEWS", {}).items()}
