"""`manage.py makeuser`."""

import io

import pytest
from django.core.management import CommandError, call_command

from apps.accounts.models import User

PASSWORD = "correct-horse-battery"
pytestmark = pytest.mark.django_db


@pytest.fixture
def typed(monkeypatch):
    """Puts a password on standard input."""
    return lambda text: monkeypatch.setattr("sys.stdin", io.StringIO(f"{text}\n"))


@pytest.mark.parametrize(
    ("flags", "staff", "superuser"), [([], False, False), (["--staff"], True, False), (["--superuser"], True, True)]
)
def test_a_user_is_made_with_the_rights_that_are_asked_for(typed, flags, staff, superuser):
    typed(PASSWORD)

    call_command("makeuser", "Ann@example.com", *flags, stdout=io.StringIO())

    user = User.objects.get()
    assert (user.email, user.is_staff, user.is_superuser) == ("ann@example.com", staff, superuser)
    assert user.check_password(PASSWORD)


def test_a_taken_address_is_refused(typed):
    User.objects.create_user("ann@example.com", PASSWORD)
    typed(PASSWORD)

    with pytest.raises(CommandError, match="email: is taken"):
        call_command("makeuser", "ann@example.com", "--superuser")
    assert not User.objects.get().is_superuser


@pytest.mark.parametrize(
    ("email", "password", "message"),
    [("ann", PASSWORD, "email: "), ("ann@example.com", "1", "The password cannot be used: ")],
)
def test_what_registration_refuses_is_refused_here(typed, email, password, message):
    typed(password)

    with pytest.raises(CommandError, match=message):
        call_command("makeuser", email)
    assert not User.objects.exists()
