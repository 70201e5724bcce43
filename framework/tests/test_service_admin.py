"""An admin whose form and services differ in their fields does not start, and says which and where."""

from typing import Any, NamedTuple

import pytest
from django.contrib import admin
from django.core.exceptions import ImproperlyConfigured

from framework.actor import Actor
from framework.admin.base import ServiceAdmin
from framework.changes import UNSET, Unset
from framework.tests.library.models import Book


class Draft(NamedTuple):
    title: str
    copies: int = 1


class Changes(NamedTuple):
    title: str | Unset = UNSET
    copies: int | Unset = UNSET


class TitleDraft(NamedTuple):
    title: str


class Branded(NamedTuple):
    title: str
    brand: str
    copies: int = 1


def create(actor: Actor, draft: Draft) -> Any: ...


def create_titled(actor: Actor, draft: TitleDraft) -> Any: ...


def create_branded(actor: Actor, draft: Branded) -> Any: ...


def update(actor: Actor, book_id: int, version: int, changes: Changes) -> Any: ...


def start(**attributes: Any) -> list[Any]:
    options = {"__module__": __name__, "create": staticmethod(create), "update": staticmethod(update)} | attributes
    return type("BookAdmin", (ServiceAdmin,), options)(Book, admin.site).get_urls()


def refusal(**attributes: Any) -> str:
    with pytest.raises(ImproperlyConfigured) as refused:
        start(**attributes)
    return str(refused.value)


@pytest.mark.parametrize("fields", [None, ("title", "copies"), (("title", "copies"),)])
def test_a_form_with_the_fields_of_its_services_starts(fields):
    assert start(fields=fields)


def test_a_field_that_the_form_forgets_is_named_with_the_admins_file():
    assert refusal(fields=("title",)) == (
        f"BookAdmin in {__file__}: the form lacks 'copies' of Draft: add it to `fields`, or to `excluded` with the"
        " reason. the form lacks 'copies' of Changes: add it to `fields`, or to `excluded` with the reason."
    )


def test_a_field_that_a_service_does_not_take_is_named_with_both_files():
    assert refusal(create=staticmethod(create_titled)) == (
        f"BookAdmin in {__file__}: the form has 'copies', which TitleDraft of create_titled lacks: add it in"
        f" {__file__}, or to `excluded` with the reason."
    )


def test_a_field_may_be_excluded_with_a_reason_if_the_service_can_do_without():
    assert start(excluded={"copies": "they are counted"})
    assert "the form lacks 'brand' of Branded" in refusal(create=staticmethod(create_branded))
    assert "'brand' is excluded, but Branded has no default for it." in refusal(
        create=staticmethod(create_branded), excluded={"brand": "nobody knows it"}
    )


def test_an_excluded_field_is_not_in_the_form(rf):
    page = type("BookAdmin", (ServiceAdmin,), {"excluded": {"copies": "they are counted"}})(Book, admin.site)

    assert list(page.get_form(rf.get("/")).base_fields) == ["title", "version"]
