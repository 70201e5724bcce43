"""What lacks a field that others have is named, with the place."""

from typing import NamedTuple

import graphene
import pytest
from django.contrib import admin

from framework.changes import UNSET, Unset
from framework.graphql.entity import EntityType
from framework.testing.fields import lacking, undemonstrated
from framework.tests.library import entities, models, schema

PACKAGE = "framework.tests.library"
USER = {
    f"entity User.{name}" for name in ("date_joined", "is_active", "is_staff", "is_superuser", "last_login", "password")
}


class Derived(EntityType):
    class Meta:
        entity = entities.Book


class Draft(NamedTuple):
    title: str
    brand: str = ""


class Changes(NamedTuple):
    title: str | Unset = UNSET


class Book(NamedTuple):
    id: int
    title: str
    brand: str


@pytest.fixture(autouse=True)
def derived(monkeypatch):
    monkeypatch.setattr(schema, "Book", Derived)
    monkeypatch.setattr(schema, "User", Derived)


def test_a_domain_with_the_same_fields_everywhere_lacks_only_what_its_user_hides():
    assert lacking(PACKAGE) == USER


def test_each_place_that_lacks_a_field_is_named(monkeypatch):
    monkeypatch.setattr(entities, "Book", Book)
    monkeypatch.setattr(entities, "BookDraft", Draft, raising=False)
    monkeypatch.setattr(entities, "BookChanges", Changes, raising=False)
    monkeypatch.setattr(admin.site._registry[models.Book], "fields", ["copies"])
    monkeypatch.setattr(schema, "Book", graphene.ObjectType)

    assert lacking(PACKAGE) - USER == {
        *("entity Book.copies", "model Book.brand", "draft Book.brand", "draft Book.copies", "changes Book.copies"),
        *("admin Book.title", "graphql Book"),
    }


@pytest.mark.django_db
def test_a_field_that_no_demo_row_sets_is_named(monkeypatch):
    monkeypatch.setattr(entities, "BookDraft", entities.Book, raising=False)
    monkeypatch.setattr(entities.Book, "_field_defaults", {"title": "", "copies": 1})
    models.Book.objects.create(title="Set", copies=1)

    assert undemonstrated(PACKAGE) == {"demo Book.copies"}
