"""`manage.py reset`."""

import os
import subprocess
import sys

import pytest
from django.core.management import CommandError, call_command

from framework.management.commands import reset

TWICE = """
import django
django.setup()
from django.contrib.auth import get_user_model
from django.core.management import call_command
call_command("reset", yes=True)
demo = set(get_user_model().objects.values_list("email", flat=True))
get_user_model().objects.create_user(email="later@example.com", password="x")
call_command("reset", yes=True)
assert set(get_user_model().objects.values_list("email", flat=True)) == demo
"""


@pytest.fixture
def dropped(monkeypatch):
    """How often the tables would have been dropped."""
    calls: list[None] = []
    monkeypatch.setattr(reset, "drop_tables", lambda: calls.append(None))
    return calls


def test_outside_of_debug_nothing_is_deleted(settings, dropped):
    settings.DEBUG = False

    with pytest.raises(CommandError, match="DEBUG=1 only"):
        call_command("reset", yes=True)
    assert dropped == []


@pytest.mark.parametrize("answer", ["", "n", "yess"])
def test_without_a_yes_nothing_is_deleted(settings, dropped, monkeypatch, answer):
    settings.DEBUG = True
    monkeypatch.setattr("builtins.input", lambda question: answer)

    with pytest.raises(CommandError, match="Nothing was deleted"):
        call_command("reset")
    assert dropped == []


def test_what_was_written_is_gone_and_the_demo_data_is_there(settings, tmp_path):
    environ = os.environ | {"DATA_DIR": str(tmp_path), "DATABASE_URL": "", "DEBUG": "1"}
    done = subprocess.run(
        [sys.executable, "-c", TWICE], cwd=settings.BASE_DIR, env=environ, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
