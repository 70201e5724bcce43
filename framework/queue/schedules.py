"""Brings the schedules declared in code into the tables that beat reads and staff edits."""

from collections.abc import Mapping
from typing import Any

from celery import current_app
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django_celery_beat.models import PeriodicTask
from django_celery_beat.schedulers import ModelEntry

from framework.queue.models import DeclaredSchedule

_COMPARED = ("task", "args", "kwargs", "enabled", "crontab", "interval", "solar", "clocked", "one_off")
_OPTIONS = ("priority", "expire_seconds", "headers")  # of those that beat's tables hold, what the queue takes


def reconcile(declared: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Write the declared schedules into beat's tables; returns what was done to each schedule, by name.

    A schedule that staff edited keeps the edit and is marked as edited. One that left the code is disabled. Raises
    ImproperlyConfigured, before anything is written, for a task that no tasks.py declares, for arguments that it does
    not take, and for options that the queue does not take.
    """
    for name, entry in declared.items():
        _check(name, **entry)
    with transaction.atomic():
        done = {name: _reconcile_one(name, entry) for name, entry in declared.items()}
        for gone in DeclaredSchedule.objects.exclude(name__in=declared):
            PeriodicTask.objects.filter(name=gone.name).update(enabled=False)
            gone.delete()
            done[gone.name] = "disabled"
    return done


def _check(
    name: str,
    task: str,
    args: tuple[Any, ...] = (),
    kwargs: Mapping[str, Any] = {},
    options: Mapping[str, Any] = {},
    **_: Any,
) -> None:
    known = current_app.tasks.get(task)
    if known is None:
        raise ImproperlyConfigured(f"The schedule {name!r} names the task {task!r}, which no tasks.py declares.")
    try:
        known.__header__(*args, **kwargs)  # type: ignore[attr-defined]
    except TypeError as error:
        raise ImproperlyConfigured(f"The schedule {name!r} has wrong arguments for {task!r}: {error}.") from error
    if refused := sorted(set(options) - set(_OPTIONS)):
        raise ImproperlyConfigured(
            f"The schedule {name!r} has the options {', '.join(refused)}: the queue takes {', '.join(_OPTIONS)} only."
        )


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
