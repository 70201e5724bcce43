from types import SimpleNamespace

import pytest

from framework.actor import NOBODY, SYSTEM, Actor, allow, of_user, permission, require, staff
from framework.errors import PermissionDenied, Unauthenticated

CHANGE = permission("library.change_book")
EDITOR = Actor(user_id=1, is_staff=True, permissions=frozenset({"library.change_book"}))


@pytest.mark.parametrize("actor", [EDITOR, SYSTEM, Actor(service="shop")])
def test_a_permission_lets_in_staff_who_have_it_and_services_on_their_own_behalf(actor):
    require(actor, CHANGE)


@pytest.mark.parametrize(
    "actor",
    [
        Actor(user_id=1),
        Actor(user_id=1, is_staff=True),
        Actor(user_id=1, is_staff=True, permissions=frozenset({"library.view_book"})),
        Actor(user_id=1, service="shop"),
    ],
)
def test_a_permission_keeps_out_those_who_lack_it(actor):
    with pytest.raises(PermissionDenied):
        require(actor, CHANGE)


@pytest.mark.parametrize("actor", [NOBODY, Actor(service="shop", for_visitor=True)])
def test_a_visitor_is_asked_to_log_in(actor):
    with pytest.raises(Unauthenticated):
        require(actor, CHANGE)


def test_staff_carry_their_permissions_and_customers_none():
    asked = []

    def user(is_staff, is_superuser=False):
        return SimpleNamespace(
            pk=7,
            is_authenticated=True,
            is_staff=is_staff,
            is_superuser=is_superuser,
            get_all_permissions=lambda: asked.append(is_staff) or {"library.change_book"},
        )

    assert of_user(user(is_staff=True)) == EDITOR._replace(user_id=7)
    assert of_user(user(is_staff=False)) == Actor(user_id=7)
    assert CHANGE(of_user(user(is_staff=True, is_superuser=True)))
    assert asked == [True]


def test_being_staff_is_no_permission():
    assert staff(Actor(user_id=1, is_staff=True))
    assert not CHANGE(Actor(user_id=1, is_staff=True))


def test_a_rule_is_kept_beside_the_function():
    assert allow(CHANGE)(lambda: None).allowed is CHANGE
