"""Every query and write on users. Hands out entities; a password never leaves."""

import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from allauth.usersessions.models import UserSession
from django.contrib.auth.models import Group, Permission
from django.contrib.sessions.models import Session
from django.db import IntegrityError, transaction
from django.db.models import QuerySet, Value
from django.db.models.functions import Concat
from django.utils import timezone

from apps.accounts import models
from apps.accounts.entities import DataRequest, DataRequestKind, User
from framework.actor import SYSTEM
from framework.audit import trail
from framework.data.constraints import is_taken
from framework.errors import AlreadyExists, NotFound
from framework.validation import validate

SEEN_EVERY = 300.0  # seconds
SEEN_KEPT = 10_000  # sessions a process remembers
UNVERIFIED_KEPT = timedelta(days=3)
EXPORTS_KEPT = timedelta(days=7)
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
            made = {"is_staff": is_staff, "is_superuser": is_superuser}
            trail.record(SYSTEM, "accounts.create_user", trail.of("accounts.user", row.pk), after=made)
    except IntegrityError as error:
        if not is_taken(error, models.User, "email"):
            raise
        raise AlreadyExists(
            "There is an account with this address already.", fields={"email": "is taken"}, reason="EMAIL_TAKEN"
        ) from None
    return entity_of(row)


def join_group(user_id: int, name: str, permissions: Sequence[str]) -> None:
    """Put the user into the group, which gets those of these permissions that exist here."""
    group, _ = Group.objects.get_or_create(name=name)
    full_name = Concat("content_type__app_label", Value("."), "codename")
    group.permissions.set(Permission.objects.annotate(full_name=full_name).filter(full_name__in=permissions))
    group.user_set.add(user_id)


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


def sessions(user_id: int) -> list[tuple[str, datetime, str]]:
    """Address, last use and browser of each session, the latest first."""
    rows = UserSession.objects.filter(user_id=user_id).order_by("-last_seen_at")
    return list(rows.values_list("ip", "last_seen_at", "user_agent"))


def factors(user_id: int) -> list[tuple[str, datetime | None]]:
    """Kind and last use of each second factor."""
    return list(Authenticator.objects.filter(user_id=user_id).order_by("id").values_list("type", "last_used_at"))


def reset_factors(user_id: int) -> None:
    """Remove all second factors, for a user who has lost them, and log the user out."""
    Authenticator.objects.filter(user_id=user_id).delete()
    end_sessions(user_id)


def forget_sessions(limit: int) -> int:
    """Delete the sessions that expired first, with what the account engine keeps of them; returns how many."""
    expired = Session.objects.filter(expire_date__lt=timezone.now()).order_by("expire_date")
    with transaction.atomic():
        keys = list(expired.values_list("pk", flat=True)[:limit])
        UserSession.objects.filter(session_key__in=keys).delete()
        Session.objects.filter(pk__in=keys).delete()
    return len(keys)


def forget_old_unverified() -> None:
    """Delete accounts whose address nobody has verified for UNVERIFIED_KEPT."""
    _unverified().filter(date_joined__lt=timezone.now() - UNVERIFIED_KEPT).delete()


def forget_unverified(email: str, *, but: int = 0) -> None:
    """Delete the account, if it is not this one, that was made with an address and has not verified it."""
    _unverified().filter(email=email.lower()).exclude(pk=but).delete()


def _unverified() -> QuerySet[models.User]:
    return models.User.objects.filter(is_staff=False, last_login=None).exclude(emailaddress__verified=True)


def disable(user_id: int) -> None:
    """Let the user in no more, and log the user out everywhere."""
    models.User.objects.filter(pk=user_id).update(is_active=False)
    end_sessions(user_id)


def erase_user(user_id: int) -> None:
    """Delete the account with its addresses, sessions, second factors, logins at providers and exports."""
    models.DataRequest.objects.filter(user_id=user_id).update(document="")
    models.User.objects.filter(pk=user_id).delete()


def profile(user_id: int) -> dict[str, Any]:
    """What accounts keeps about a user."""
    user = models.User.objects.get(pk=user_id)
    sessions = UserSession.objects.filter(user=user).values("ip", "user_agent", "created_at", "last_seen_at")
    return {
        "email": user.email,
        "joined": user.date_joined,
        "last_login": user.last_login,
        "sessions": list(sessions),
        "providers": list(SocialAccount.objects.filter(user=user).values("provider", "uid", "extra_data")),
        "second_factors": list(Authenticator.objects.filter(user=user).values("type", "created_at", "last_used_at")),
    }


def add_request(user_id: int, kind: DataRequestKind) -> tuple[DataRequest, bool]:
    """The user's request of this kind that is not finished, and whether it is a new one."""
    row, new = models.DataRequest.objects.get_or_create(user_id=user_id, kind=kind, finished_at=None)
    return _request(row), new


def get_request(request_id: int) -> DataRequest:
    """Raises NotFound."""
    row = models.DataRequest.objects.filter(pk=request_id).first()
    if row is None:
        raise NotFound(f"There is no request {request_id}.", reason="REQUEST_NOT_FOUND")
    return _request(row)


def finish_request(request_id: int, document: str = "") -> None:
    models.DataRequest.objects.filter(pk=request_id).update(finished_at=timezone.now(), document=document)


def forget_exports() -> None:
    """Throw away what was exported before EXPORTS_KEPT."""
    old = models.DataRequest.objects.filter(finished_at__lt=timezone.now() - EXPORTS_KEPT).exclude(document="")
    old.update(document="")


def _request(row: models.DataRequest) -> DataRequest:
    found = DataRequest._make(getattr(row, name) for name in DataRequest._fields)
    return found._replace(kind=DataRequestKind(found.kind))
