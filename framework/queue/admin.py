"""Background work in the admin: heartbeats, queued tasks, and failed tasks to retry or drop."""

from collections.abc import Callable, Iterator, Sequence

from django.contrib import admin
from django.db import transaction
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.http import urlencode
from django_celery_beat.models import PeriodicTask

from framework.actor import of_user
from framework.admin.base import ReadOnlyAdmin
from framework.admin.home import Line
from framework.audit import trail
from framework.observe.health import silent
from framework.queue import models, table
from framework.queue.scheduler import Timetable

SILENT = {
    "relay": "No task is published: does its process run?",
    "broker": "The relay does not reach it.",
    "beat": "No schedule runs: does its process run?",
    "queue": "No worker runs tasks: do worker, relay and beat run?",
}
Act = Callable[[Sequence[str]], int]


class FailedFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, str]]:
        return [("failed", "Failed"), ("pending", "Pending")]

    def queryset(self, request: HttpRequest, rows: QuerySet[models.QueuedTask]) -> QuerySet[models.QueuedTask]:
        return rows if self.value() is None else rows.filter(failed_at__isnull=self.value() == "pending")


@admin.register(models.QueuedTask)
class QueuedTaskAdmin(ReadOnlyAdmin):
    list_display = ("task", "task_id", "queued_at", "due_at", "priority", "retries", "starts", "failed_at")
    list_filter = (FailedFilter, "task")
    search_fields = ("task", "task_id")
    ordering = ("-id",)  # as they were queued
    actions = ("retry", "drop")

    def has_retry_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("queue.retry_queuedtask")

    def has_drop_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("queue.drop_queuedtask")

    def get_exclude(self, request: HttpRequest, obj: models.QueuedTask | None = None) -> tuple[str, ...]:
        return () if request.user.has_perm("queue.view_error_queuedtask") else ("error",)

    @admin.action(description="Retry the selected failed tasks", permissions=["retry"])
    def retry(self, request: HttpRequest, rows: QuerySet[models.QueuedTask]) -> None:
        count = self._record(request, "retry", rows, table.retry)
        self.message_user(request, f"{count} will be retried.")

    @admin.action(description="Drop the selected failed tasks", permissions=["drop"])
    def drop(self, request: HttpRequest, rows: QuerySet[models.QueuedTask]) -> None:
        count = self._record(request, "drop", rows, table.drop)
        self.message_user(request, f"{count} dropped.")

    def _record(self, request: HttpRequest, verb: str, rows: QuerySet[models.QueuedTask], act: Act) -> int:
        ids = list(rows.values_list("task_id", flat=True))
        with transaction.atomic():
            trail.record(of_user(request.user), f"queue.{verb}_tasks", "queue.queuedtask", after={"tasks": ids})
            return act(ids)


def attention(request: HttpRequest) -> Iterator[Line]:
    """Parts of the system that are silent, tasks that failed by kind, and the schedules."""
    if request.user.has_perm("queue.view_heartbeat"):
        url = reverse("admin:queue_heartbeat_changelist")
        yield from (Line(f"The {part} is silent", url, SILENT[part]) for part in silent())
    if request.user.has_perm("queue.view_queuedtask"):
        failed = models.QueuedTask.objects.filter(failed_at__isnull=False).order_by("task")
        for task, count in failed.values_list("task").annotate(Count("pk")):
            url = reverse("admin:queue_queuedtask_changelist") + "?" + urlencode({"state": "failed", "task": task})
            yield Line(f"{task} failed", url, f"{count} to retry or drop")
    if request.user.has_perm("django_celery_beat.view_periodictask"):
        for row in PeriodicTask.objects.enabled().select_related("interval", "crontab").order_by("name"):
            yield _scheduled(row)


def _scheduled(row: PeriodicTask) -> Line:
    url = reverse("admin:django_celery_beat_periodictask_change", args=[row.pk])
    last = row.last_run_at or row.date_changed
    due = Timetable(row).next_after(last) if row.interval or row.crontab else None
    ran = f"{row.last_run_at:%Y-%m-%d %H:%M}" if row.last_run_at else "never"
    return Line(row.name, url, f"last: {ran}" + (f", next: {due:%Y-%m-%d %H:%M}" if due else ""), "Schedules (UTC)")


@admin.register(models.Heartbeat)
class HeartbeatAdmin(ReadOnlyAdmin):
    list_display = ("name", "at")


@admin.register(models.DeclaredSchedule)
class DeclaredScheduleAdmin(ReadOnlyAdmin):
    list_display = ("name", "edited")
    list_filter = ("edited",)
