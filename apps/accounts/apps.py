from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.contrib.auth.signals import user_logged_in


class AccountsConfig(AppConfig):
    name = "apps.accounts"

    def ready(self) -> None:
        user_logged_in.connect(shorten_staff_session)


def shorten_staff_session(request: Any, user: Any, **_: Any) -> None:
    """Staff stay logged in for STAFF_SESSION_AGE."""
    if user.is_staff:
        request.session.set_expiry(settings.STAFF_SESSION_AGE)
