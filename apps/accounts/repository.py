"""Every query and write on users. Hands out entities; a password never leaves."""

import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from allauth.account.models import EmailAddress
from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.db import IntegrityError, transaction
from django.utils import timezone

from apps.accounts import models
from apps.accounts.entities import User
from framework.data.constraints import is_taken
from framework.errors import AlreadyExists, NotFound
from framework.validation import validate

SEEN_EVERY = 300.0  # seconds
SEEN_KEPT = 10_000  # sessions a process remembers
UNVERIFIED_KEPT = timedelta(days=3)
_seen: dict[str, float] = {}  # when a session was last noted, on the clock of time.monotonic()


def get_user(user_id: int) -> User:
    """Raises NotFound."""
    found = get_users([user_id])
    if user_id not in found:
        raise NotFound(f"There is no user {user_id}.", reason="USER_NOT_FOUND")
    return found[user_id]


def get_users(user_ids: Sequence[int]) -> dict[int, User]:
    """The users by id, in one query; ids that do not exist are left out."""
    rows = models.User.objects.filter(pk__in=user_ids).values_list(*User._fields)
    return {row[0]: User._make(row) for row in rows}


def staff_emails() -> list[str]:
    """Addresses of the active staff."""
    rows = models.User.objects.filter(is_staff=True, is_active=True).order_by("id")
    return list(rows.values_list("email", flat=True))


def create_user(email: str, password: str, *, is_staff: bool = False, is_superuser: bool = False) -> User:
    """A user whose address counts as verified: for commands and demo data.

    Raises InvalidArgument with the bad fields, AlreadyExists when the address is taken.
    """
    row = models.User(email=email.lower(), is_staff=is_staff, is_superuser=is_superuser)
    row.set_unusable_password()
    validate(row)  # before the password is hashed, which takes long
    row.set_password(password)
    try:
        with transaction.atomic():
            row.save(force_insert=True)
            EmailAddress.objects.create(user=row, email=row.email, verified=True, primary=True)
    except IntegrityError as error:
        if not is_taken(error, models.User, "email"):
            raise
        raise AlreadyExists(
            "There is an account with this address already.", fields={"email": "is taken"}, reason="EMAIL_TAKEN"
        ) from None
    return entity_of(row)


def entity_of(row: Any) -> User:
    """The entity of a row that is read already, such as Django's `request.user`."""
    return User(row.pk, row.email, row.is_staff)


def note_seen(session_key: str | None) -> None:
    """Record that the session is in use; this process writes it at most once in SEEN_EVERY."""
    now = time.monotonic()
    if session_key and now - _seen.get(session_key, -SEEN_EVERY) >= SEEN_EVERY:
        if len(_seen) >= SEEN_KEPT:
            _seen.clear()
        _seen[session_key] = now
        UserSession.objects.filter(session_key=session_key).update(last_seen_at=timezone.now())


def end_sessions(user_id: int) -> None:
    """Log the user out everywhere."""
    for session in UserSession.objects.filter(user_id=user_id):
        session.end()


def forget_sessions(limit: int) -> int:
    """Delete the sessions that expired first, with what the account engine keeps of them; returns how many."""
    expired = Session.objects.filter(expire_date__lt=timezone.now()).order_by("expire_date")
    with transaction.atomic():
        keys = list(expired.values_list("pk", flat=True)[:limit])
        UserSession.objects.filter(session_key__in=keys).delete()
        Session.objects.filter(pk__in=keys).delete()
    return len(keys)


def forget_unverified() -> int:
    """Delete accounts whose address nobody has verified for UNVERIFIED_KEPT; returns how many."""
    old = models.User.objects.filter(
        date_joined__lt=timezone.now() - UNVERIFIED_KEPT, is_staff=False, last_login=None
    ).exclude(emailaddress__verified=True)
    return old.delete()[0]
