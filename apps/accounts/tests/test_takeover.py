"""Whoever registers somebody else's address first gains nothing, in whichever order the two go on."""

import pytest
from allauth.account.models import EmailAddress
from django.core.cache import cache

from apps.accounts import models
from apps.accounts.tests.conftest import code_in
from apps.accounts.tests.factories import PASSWORD, UserFactory

pytestmark = pytest.mark.django_db
EMAIL, OTHER, THEIRS, OWN = "ann@example.com", "old@example.com", "squatters-password", "another-battery-staple"


class Story:
    """A squatter and the owner of EMAIL; only the owner reads the mails that go there."""

    def __init__(self, app):
        self.squatter, self.owner = app(), app()

    def squat(self):
        self.squatter("POST", "/auth/signup", {"email": EMAIL, "password": THEIRS})

    def register(self):
        self.owner("POST", "/auth/signup", {"email": EMAIL, "password": OWN})
        self.mail = self.owner.mails()[-1]

    def verify(self):
        self.owner("POST", "/auth/email/verify", {"key": code_in(self.mail)})

    def reset(self):
        self.owner("POST", "/auth/password/request", {"email": EMAIL})
        self.owner("POST", "/auth/password/reset", {"key": self.owner.code(), "password": OWN})
        self.owner.log_in(EMAIL, OWN)

    def move(self):
        """The owner has an account, and changes its address."""
        UserFactory(email=OTHER)
        self.owner.log_in(OTHER, PASSWORD)
        self.owner.reauthenticate(PASSWORD)
        self.owner("POST", "/account/email", {"email": EMAIL})
        self.mail = self.owner.mails()[-1]

    def guess(self):
        self.squatter("POST", "/auth/email/verify", {"key": "000000"})

    def squatter_logs_in(self):
        self.squatter.log_in(EMAIL, THEIRS)


@pytest.mark.parametrize(
    "steps",
    [
        "squat register reset",
        "squat reset",
        "squat squatter_logs_in reset squatter_logs_in",
        "squat guess guess guess guess register reset",
        "register squat verify",
        "register verify squat squatter_logs_in",
        "squat move verify",
        "move squat verify",
        "squat reset squat guess",
    ],
)
def test_the_owner_gets_the_address_and_the_squatter_nothing(app, steps):
    story = Story(app)
    for step in steps.split():
        cache.clear()  # the limits
        getattr(story, step)()

    assert story.owner.me()["email"] == EMAIL
    assert story.squatter.me() is None
    cache.clear()
    story.squatter_logs_in()
    assert story.squatter.me() is None
    assert not models.User.objects.get(email=EMAIL).check_password(THEIRS)
    assert list(EmailAddress.objects.values_list("email", "verified")) == [(EMAIL, True)]
