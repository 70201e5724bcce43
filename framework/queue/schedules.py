"""Brings the schedules declared in code into the tables that beat reads and staff edits."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django_celery_beat.models import PeriodicTask
from django_celery_beat.schedulers import ModelEntry

from framework.queue.models import DeclaredSchedule

_COMPARED = ("task", "args", "kwargs", "enabled", "crontab", "interval", "solar", "clocked", "one_off")


@transaction.atomic
def reconcile(declared: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Make the tables say what the code says; returns what was done to each schedule, by name.

    A schedule that staff edited keeps the edit and is marked as edited. One that left the code is disabled.
    """
    done = {name: _reconcile_one(name, entry) for name, entry in declared.items()}
    for gone in DeclaredSchedule.objects.exclude(name__in=declared):
        PeriodicTask.objects.filter(name=gone.name).update(enabled=False)
        gone.delete()
        done[gone.name] = "disabled"
    return done


def _reconcile_one(name: str, entry: Mapping[str, Any]) -> str:
    known = DeclaredSchedule.objects.filter(name=name).first()
    row = PeriodicTask.objects.filter(name=name).first()
    if known and row and _snapshot(row) != known.declaration:
        DeclaredSchedule.objects.filter(pk=known.pk).update(edited=True)
        return "kept as edited"
    if known and row is None:
        return "kept as deleted"
    model = ModelEntry.from_entry(name, **entry).model
    if known is None:
        PeriodicTask.objects.filter(pk=model.pk).update(enabled=True)
    model.refresh_from_db()
    DeclaredSchedule.objects.update_or_create(name=name, defaults={"declaration": _snapshot(model), "edited": False})
    return "created" if row is None else "current"


def _snapshot(row: PeriodicTask) -> dict[str, Any]:
    return {name: _plain(getattr(row, name)) for name in _COMPARED}


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | bool | None) else str(value)
