import time
from functools import partial
from typing import Any

from allauth.account.signals import authentication_step_completed
from django.apps import AppConfig
from django.conf import settings
from django.contrib.auth.signals import user_logged_in

from framework.actor import Actor


class AccountsConfig(AppConfig):
    name = "apps.accounts"

    def ready(self) -> None:
        user_logged_in.connect(limit_session)
        user_logged_in.connect(note_proof)
        authentication_step_completed.connect(note_proof)
        from allauth.account import signals as account  # they need the models
        from allauth.mfa import signals as mfa

        names = ("user_signed_up", "email_confirmed", "email_added", "email_changed", "email_removed")
        factors = ("authenticator_added", "authenticator_removed", "authenticator_reset")
        for name in (*names, "password_set", "password_changed", "password_reset"):
            getattr(account, name).connect(partial(audit, f"accounts.{name}"), weak=False)
        for name in factors:
            getattr(mfa, name).connect(partial(audit, f"accounts.{name}"), weak=False)


def limit_session(request: Any, user: Any, **_: Any) -> None:
    """Staff stay logged in for less time than customers."""
    age, idle = settings.SESSION_COOKIE_AGE, settings.SESSION_IDLE
    if user.is_staff:
        age, idle = settings.STAFF_SESSION_AGE, settings.STAFF_SESSION_IDLE
    request.session.limit(age, idle)


def note_proof(request: Any, user: Any, **_: Any) -> None:
    """Note when this session's user last proved who it is, by password, code, passkey or provider."""
    request.session["proven"] = [user.pk, time.time()]


def audit(action: str, user: Any = None, email_address: Any = None, **_: Any) -> None:
    """Write down what a user changed of the own account: allauth says it by signals, and its values are not kept."""
    from framework.audit import trail

    changed = user.pk if user else email_address.user_id
    trail.record(Actor(user_id=changed), action, trail.of("accounts.user", changed))
