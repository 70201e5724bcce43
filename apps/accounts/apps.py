import time
from typing import Any

from allauth.account.signals import authentication_step_completed
from django.apps import AppConfig
from django.conf import settings
from django.contrib.auth.signals import user_logged_in


class AccountsConfig(AppConfig):
    name = "apps.accounts"

    def ready(self) -> None:
        user_logged_in.connect(limit_session)
        authentication_step_completed.connect(note_proof)


def limit_session(request: Any, user: Any, **_: Any) -> None:
    """Staff stay logged in for less time than customers."""
    age, idle = settings.SESSION_COOKIE_AGE, settings.SESSION_IDLE
    if user.is_staff:
        age, idle = settings.STAFF_SESSION_AGE, settings.STAFF_SESSION_IDLE
    request.session.limit(age, idle)


def note_proof(request: Any, user: Any, **_: Any) -> None:
    """Note when this session's user last proved who it is, by password, code, passkey or provider."""
    request.session["proven"] = [user.pk, time.time()]
