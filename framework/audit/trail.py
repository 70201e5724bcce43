"""Writing the audit, in the transaction of the change; and thinning it."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from framework import context
from framework.actor import Actor
from framework.audit.models import Entry

# In names of fields whose values are not written: secrets, and what an erased account must not leave behind.
HIDDEN = ("password", "secret", "token", "recovery", "email")
BATCH = 1000  # entries deleted in one transaction
_THIN = "SELECT set_config('audit.thinning', 'on', true)"  # what the trigger asks for; until the transaction's end
Values = Mapping[str, Any]


def of(kind: str, identifier: object = "") -> str:
    """The name of an object: `catalog.product:7`; of many, the kind alone."""
    return f"{kind}:{identifier}" if identifier else kind


def record(
    actor: Actor,
    action: str,
    changed: str,
    *,
    before: Values | None = None,
    after: Values | None = None,
    reason: str = "",
) -> None:
    """Add an entry: one INSERT. Given both, only values that differ are kept; HIDDEN ones are only said to be there."""
    old, new = before or {}, after or {}
    if before and after:
        old = {name: value for name, value in old.items() if name in new and value != new[name]}
        new = {name: value for name, value in new.items() if name not in before or value != before[name]}
    Entry.objects.create(
        actor=str(actor),
        via=actor.service if actor.user_id is not None else "",
        action=action,
        object=changed,
        before=_public(old),
        after=_public(new),
        reason=reason,
        request_id=context.request_id(),
    )


def entries(changed: str) -> list[Entry]:
    """What happened to an object, the oldest first."""
    return list(Entry.objects.filter(object=changed).order_by("id"))


def thin(days: int) -> int:
    """Delete entries that are older, in small transactions; returns how many."""
    older_than, deleted = timezone.now() - timedelta(days=days), 0
    while count := _thin(older_than):
        deleted += count
        context.check_deadline()
    return deleted


def _thin(older_than: Any) -> int:
    with transaction.atomic():
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute(_THIN)
        oldest = Entry.objects.order_by("pk").filter(at__lt=older_than).values_list("pk", flat=True)[:BATCH]
        return Entry.objects.filter(pk__in=list(oldest)).delete()[0]


def _public(values: Values) -> dict[str, Any]:
    return {name: "(hidden)" if any(part in name.lower() for part in HIDDEN) else values[name] for name in values}
