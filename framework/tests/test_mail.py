from smtplib import SMTPServerDisconnected

import pytest
from django.core.cache import cache

from framework import mail

ANN = "ann@example.com"


@pytest.fixture(autouse=True)
def _nothing_was_sent():
    cache.clear()


def test_an_address_gets_no_more_mails_within_an_hour_than_it_may(mailoutbox, caplog):
    for number in range(mail.AN_HOUR + 3):
        mail.send("accounts", str(number), "text", ANN if number % 2 else ANN.upper())

    assert [message.subject for message in mailoutbox] == [str(number) for number in range(mail.AN_HOUR)]
    assert caplog.text.count("has had enough") == 3
    assert ANN not in caplog.text.lower()


def test_purposes_and_addresses_are_counted_apart(mailoutbox):
    for _ in range(mail.AN_HOUR + 1):
        mail.send("accounts", "code", "text", ANN)
    mail.send("orders", "order", "text", ANN)
    mail.send("accounts", "code", "text", "kim@example.com")

    assert len(mailoutbox) == mail.AN_HOUR + 2


def test_an_hour_later_mails_are_sent_again(mailoutbox, monkeypatch):
    kept = []
    monkeypatch.setattr(cache, "add", lambda key, value, timeout: kept.append(timeout) or cache.set(key, value))
    mail.send("accounts", "code", "text", ANN)

    assert kept == [3600]


def test_a_mail_that_could_not_be_sent_does_not_count(mailoutbox, monkeypatch):
    def fail(*args):
        raise SMTPServerDisconnected

    with monkeypatch.context() as broken:
        broken.setattr(mail.EmailMultiAlternatives, "send", fail)
        for _ in range(mail.AN_HOUR):
            with pytest.raises(SMTPServerDisconnected):
                mail.send("accounts", "code", "text", ANN)
    mail.send("accounts", "code", "text", ANN)

    assert len(mailoutbox) == 1
