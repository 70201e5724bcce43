"""The rules of accounts. Sessions are the web door's matter: see schema.py."""

from django.contrib.auth import get_user_model
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError

from apps.accounts import repository
from apps.accounts.entities import User
from framework.actor import Actor, authenticated, require
from framework.errors import InvalidArgument, NotFound


def register(email: str, password: str) -> User:
    """Raises InvalidArgument with the bad fields, AlreadyExists when the address is taken."""
    return make_user(email, password)


def make_user(email: str, password: str, *, is_staff: bool = False, is_superuser: bool = False) -> User:
    """For developers: whoever may run commands may give any rights. Raises as `register` does."""
    _check_password(password, email, field="password")
    return repository.create_user(email, password, is_staff=is_staff or is_superuser, is_superuser=is_superuser)


def change_password(actor: Actor, old_password: str, new_password: str) -> User:
    """Raises Unauthenticated, InvalidArgument when the old password is wrong or the new one is too weak."""
    require(actor, authenticated)
    if actor.user_id is None:
        raise NotFound("There is no such user.")
    user = repository.get_user(actor.user_id)
    if not repository.check_password(user.id, old_password):
        raise InvalidArgument("The old password is wrong.", fields={"oldPassword": "is wrong"})
    _check_password(new_password, user.email, field="newPassword")
    repository.set_password(user.id, new_password)
    return user


def _check_password(password: str, email: str, *, field: str) -> None:
    if len(password) > 1000 or "\0" in password:
        raise InvalidArgument("The password cannot be accepted.", fields={field: "1000 characters at most, none NUL"})
    try:
        validate_password(password, get_user_model()(email=email))
    except ValidationError as error:
        raise InvalidArgument("The password is too weak.", fields={field: " ".join(error.messages)}) from None
