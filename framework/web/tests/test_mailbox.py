import re

import pytest

from framework import mail
from framework.tests.library import tasks
from framework.web import mailbox

pytestmark = pytest.mark.urls("framework.web.mailbox")


@pytest.fixture
def box(settings, tmp_path):
    settings.DATA_DIR, settings.EMAIL_BACKEND = tmp_path, "framework.mail.MailboxBackend"
    return tmp_path / "mail"


def test_a_mail_that_was_sent_is_read_as_html_and_as_text(box, client):
    mail.send("test", "Hello", "See https://example.com/a?b=1&c=2 <b>now</b>.\n\nBye", "ann@example.com")
    page = client.get("/mailbox/").content.decode()
    links = re.findall(r'href="(/mailbox/\d+\.\w+)"', page)
    html, text = (client.get(link) for link in links)

    assert "ann@example.com" in page
    assert "See https://example.com/a?b=1&c=2 <b>now</b>.\n\nBye" in text.content.decode()
    assert '<a href="https://example.com/a?b=1&amp;c=2"' in html.content.decode()
    assert "&lt;b&gt;now&lt;/b&gt;" in html.content.decode()
    assert html["Content-Security-Policy"] == mailbox.CSP


def test_old_messages_make_room(box, monkeypatch):
    monkeypatch.setattr(mail, "KEPT", 2)
    for number in range(4):
        mail.send("test", str(number), "", "ann@example.com")

    assert len(list(box.glob("*.eml"))) == 2


def test_previews_are_made_of_what_domains_say(client, monkeypatch):
    monkeypatch.setattr(tasks, "PREVIEWS", {"welcome": lambda: ("Welcome", "Hello Ann")}, raising=False)

    assert "welcome" in client.get("/mailbox/").content.decode()
    assert client.get("/mailbox/previews/welcome.plain").content.decode() == "Welcome\n\nHello Ann"
    assert "<p>Hello Ann</p>" in client.get("/mailbox/previews/welcome.html").content.decode()


@pytest.mark.parametrize("path", ["/mailbox/5.html", "/mailbox/previews/nothing.html"])
def test_what_is_not_there_is_not_found(box, client, path):
    assert client.get(path).status_code == 404
