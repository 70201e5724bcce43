"""Nothing tells who has an account: a taken address is answered like a free one, after as much work."""

from types import SimpleNamespace

import pytest
from django.contrib.auth.hashers import Argon2PasswordHasher
from django.core import mail
from django.core.cache import cache

from apps.accounts import models
from apps.accounts.tests.factories import PASSWORD, UserFactory
from framework.queue.models import QueuedTask
from framework.web import timing

pytestmark = pytest.mark.django_db
TAKEN, FREE, OWN = "taken@example.com", "fresh@example.com", "own@example.com"
VARYING = ("X-Request-ID", "Expires")
PLACES = {
    "register": ("/auth/signup", {"password": "another-battery-staple"}),
    "log in": ("/auth/login", {"password": "wrong-battery-staple"}),
    "forgotten password": ("/auth/password/request", {}),
    "change of address": ("/account/email", {}),
}
RESEND = {"resend": ("/auth/email/verify/resend", {})}


@pytest.fixture
def hashes(settings, monkeypatch):
    """Grows by one with each password that is hashed."""
    settings.PASSWORD_HASHERS = ["framework.web.passwords.BoundedArgon2"]
    done = []
    for name in ("encode", "verify"):
        original = getattr(Argon2PasswordHasher, name)
        monkeypatch.setattr(
            Argon2PasswordHasher, name, lambda *args, call=original, **kw: done.append(1) or call(*args, **kw)
        )
    return done


def ask(app, place, email, hashes):
    """What can be told from outside, and the work that was done."""
    page, (path, body) = app(), (PLACES | RESEND)[place]
    if place == "change of address":
        page.log_in(OWN, PASSWORD)
        page.reauthenticate(PASSWORD)
    if place == "resend":
        page("POST", "/auth/signup", {"email": email, "password": "another-battery-staple"})
        cache.clear()  # an address gets one mail in ten seconds
    hashes.clear()
    queued = QueuedTask.objects.count()
    status, answer = page("POST", path, {"email": email} | body)
    headers = {name: value for name, value in page.answer.headers.items() if name not in VARYING}
    cookies = {name: {**cookie, "expires": ""} for name, cookie in page.answer.cookies.items()}
    told = str((status, answer, headers, cookies)).replace(email, "EMAIL")
    return told, len(hashes), QueuedTask.objects.count() - queued


@pytest.mark.parametrize("active", [True, False])
@pytest.mark.parametrize("place", PLACES)
def test_a_taken_address_is_answered_like_a_free_one(app, hashes, place, active):
    UserFactory(email=OWN)
    UserFactory(email=TAKEN, is_active=active)

    assert ask(app, place, TAKEN, hashes) == ask(app, place, FREE, hashes)


def test_asking_for_another_code_is_answered_alike(app, hashes):
    UserFactory(email=TAKEN)
    taken, free = (ask(app, "resend", email, hashes)[0] for email in (TAKEN, FREE))

    assert taken == free
    assert taken.startswith("(200, ")


@pytest.mark.parametrize("place", ["register", "change of address"])
def test_who_has_the_address_is_told(app, hashes, place, run_queued_tasks):
    UserFactory(email=OWN)
    UserFactory(email=TAKEN)
    ask(app, place, TAKEN, hashes)
    run_queued_tasks()

    assert [message.to for message in mail.outbox] == [[TAKEN]]
    assert models.User.objects.filter(email=TAKEN).count() == 1


def test_a_stranger_gets_no_mail(app, hashes, run_queued_tasks):
    ask(app, "forgotten password", FREE, hashes)
    run_queued_tasks()

    assert mail.outbox == []
    assert not QueuedTask.objects.exists()


@pytest.mark.parametrize("place", PLACES)
def test_these_answers_come_in_steps_of_time(app, hashes, place, monkeypatch):
    UserFactory(email=OWN)
    naps = []
    monkeypatch.setattr(timing, "time", SimpleNamespace(monotonic=lambda: 0.0, sleep=naps.append))
    app()
    assert naps == []
    ask(app, place, FREE, hashes)

    assert len(naps) == (2 if place == "change of address" else 1)  # logging in is such a place, too
