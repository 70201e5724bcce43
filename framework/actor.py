"""Who acts, and what they may do: decided here, so that no door can disagree with another."""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from framework.errors import PermissionDenied, Unauthenticated

ALL = "*"  # every permission, also of domains that run elsewhere, whose permissions the database here lacks


class Actor(NamedTuple):
    """The one on whose behalf something is done.

    A user (`user_id`), a service calling on its own behalf (`service`), or nobody. A service may also pass on what
    a user does; then both are set, and the user's rights count. Or what a visitor does who is not logged in.
    """

    user_id: int | None = None
    is_staff: bool = False
    service: str = ""
    for_visitor: bool = False
    permissions: frozenset[str] = frozenset()  # Django's, of staff: `catalog.change_product`; ALL of a superuser

    def __str__(self) -> str:
        """As it stands in logs: no e-mail, no name."""
        if self.user_id is not None:
            return f"user:{self.user_id}"
        return f"service:{self.service}" if self.service else "nobody"


NOBODY = Actor()
SYSTEM = Actor(service="system")  # tasks, commands


def of_user(user: Any) -> Actor:
    """The actor of Django's `request.user`. Of staff but superusers, the database is asked for their permissions."""
    if not user.is_authenticated:
        return NOBODY
    return Actor(
        user_id=user.pk, is_staff=user.is_staff, permissions=_permissions(user) if user.is_staff else frozenset()
    )


def _permissions(user: Any) -> frozenset[str]:
    return frozenset({ALL} if user.is_superuser else user.get_all_permissions())


Rule = Callable[[Actor], bool]
F = TypeVar("F", bound=Callable[..., Any])


def anyone(actor: Actor) -> bool:
    return True


def authenticated(actor: Actor) -> bool:
    return actor.user_id is not None


def service(actor: Actor) -> bool:
    """Any service, whoever it calls for."""
    return bool(actor.service)


def for_itself(actor: Actor) -> bool:
    """A service on its own behalf; tasks and commands are such services."""
    return bool(actor.service) and actor.user_id is None and not actor.for_visitor


def staff(actor: Actor) -> bool:
    """Staff users, whatever their permissions, and services on their own behalf."""
    return actor.is_staff or for_itself(actor)


def permission(*names: str) -> Rule:
    """The rule that lets in staff with any of these Django permissions, and services on their own behalf."""

    def has_permission(actor: Actor) -> bool:
        return not actor.permissions.isdisjoint((*names, ALL)) or for_itself(actor)

    return has_permission


def require(actor: Actor, rule: Rule) -> None:
    """Raise Unauthenticated for nobody and visitors, PermissionDenied for somebody the rule does not let through."""
    if rule(actor):
        return
    if actor == NOBODY or actor.for_visitor:
        raise Unauthenticated("Log in to do this.")
    raise PermissionDenied("You may not do this.")


def allow(rule: Rule) -> Callable[[F], F]:
    """Declare beside a resolver or a servicer's method who may use it; a door refuses to start without."""

    def mark(function: F) -> F:
        function.allowed = rule  # type: ignore[attr-defined]
        return function

    return mark
