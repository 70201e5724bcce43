"""Entries of the audit: what they hold, that they stay, and when they go."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from framework import context
from framework.actor import NOBODY, Actor
from framework.audit import trail
from framework.audit.models import Entry

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("actor", "names"),
    [
        (Actor(user_id=7), ("user:7", "")),
        (Actor(service="shop"), ("service:shop", "")),
        (Actor(user_id=7, service="shop"), ("user:7", "shop")),
        (NOBODY, ("nobody", "")),
    ],
)
def test_an_entry_says_who_for_whom_what_why_and_in_which_request(actor, names):
    unit = context.begin("web", request_id="r-1")
    trail.record(actor, "library.sell", trail.of("library.book", 3), after={"price": Decimal("1.50")}, reason="Asked.")
    context.clear()

    entry = Entry.objects.get()
    assert (entry.actor, entry.via) == names
    assert (entry.action, entry.object, entry.reason) == ("library.sell", "library.book:3", "Asked.")
    assert (entry.before, entry.after, entry.request_id) == ({}, {"price": "1.50"}, unit.request_id)


def test_of_values_before_and_after_those_that_differ_are_kept():
    trail.record(NOBODY, "a", "b", before={"id": 1, "name": "Old", "copies": 2}, after={"name": "New", "copies": 2})

    assert (Entry.objects.get().before, Entry.objects.get().after) == ({"name": "Old"}, {"name": "New"})


@pytest.mark.parametrize("name", ["password", "new_password1", "API_TOKEN", "recovery_codes", "client_secret", "email"])
def test_secrets_and_addresses_are_not_written(name):
    trail.record(NOBODY, "a", "b", before={name: "old-s3cret"}, after={name: "new-s3cret"})

    entry = Entry.objects.get()
    assert (entry.before, entry.after) == ({name: "(hidden)"}, {name: "(hidden)"})


def test_an_entry_goes_with_the_transaction_of_its_change():
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        trail.record(NOBODY, "a", "b")
        raise ZeroDivisionError

    assert not Entry.objects.exists()


def test_an_entry_is_one_statement(django_assert_num_queries):
    with django_assert_num_queries(1):
        trail.record(NOBODY, "a", "b", before={"x": 1}, after={"x": 2})


def test_old_entries_are_thinned(monkeypatch):
    monkeypatch.setattr(trail, "BATCH", 2)
    for days in (0, 99, 101, 102, 103):
        Entry.objects.create(at=timezone.now() - timedelta(days=days), action=str(days))

    assert trail.thin(100) == 3
    assert sorted(entry.action for entry in Entry.objects.all()) == ["0", "99"]


@pytest.mark.postgresql
@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE audit_entry SET actor = 'nobody'",
        "DELETE FROM audit_entry",
        "SELECT set_config('audit.thinning', 'on', true); UPDATE audit_entry SET reason = ''",
        "SELECT set_config('audit.thinning', 'on', true); DELETE FROM audit_entry WHERE action = 'young'",
    ],
)
def test_postgresql_refuses_to_change_or_delete_entries(sql):
    Entry.objects.create(at=timezone.now() - timedelta(days=29), action="young", reason="kept")
    Entry.objects.create(at=timezone.now() - timedelta(days=99), action="old", reason="kept")

    with pytest.raises(DatabaseError, match="only ever added to"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql)

    assert [entry.reason for entry in Entry.objects.all()] == ["kept", "kept"]
