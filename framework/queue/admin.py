"""Background work in the admin: heartbeats, queued tasks, and failed tasks to retry or drop."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from framework.admin.base import ReadOnlyAdmin
from framework.queue import models, table


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
        count = table.retry(list(rows.values_list("task_id", flat=True)))
        self.message_user(request, f"{count} will be retried.")

    @admin.action(description="Drop the selected failed tasks", permissions=["drop"])
    def drop(self, request: HttpRequest, rows: QuerySet[models.QueuedTask]) -> None:
        count = table.drop(list(rows.values_list("task_id", flat=True)))
        self.message_user(request, f"{count} dropped.")


@admin.register(models.Heartbeat)
class HeartbeatAdmin(ReadOnlyAdmin):
    list_display = ("name", "at")


@admin.register(models.DeclaredSchedule)
class DeclaredScheduleAdmin(ReadOnlyAdmin):
    list_display = ("name", "edited")
    list_filter = ("edited",)
