"""Every query and write on users. Hands out entities; a password never leaves."""

from collections.abc import Sequence

from django.db import IntegrityError, transaction

from apps.accounts import models
from apps.accounts.entities import User
from framework.data.constraints import is_taken
from framework.errors import AlreadyExists, NotFound
from framework.validation import validate


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
    """Raises InvalidArgument with the bad fields, AlreadyExists when the address is taken."""
    row = models.User(email=email.lower(), is_staff=is_staff, is_superuser=is_superuser)
    row.set_password(password)
    validate(row)
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError as error:
        if not is_taken(error, models.User, "email"):
            raise
        raise AlreadyExists(
            "There is an account with this address already.", fields={"email": "is taken"}, reason="EMAIL_TAKEN"
        ) from None
    return User(row.pk, row.email, row.is_staff)


def set_password(user_id: int, password: str) -> None:
    row = models.User.objects.get(pk=user_id)
    row.set_password(password)
    row.save(update_fields=["password"])


def check_password(user_id: int, password: str) -> bool:
    return models.User.objects.get(pk=user_id).check_password(password)
