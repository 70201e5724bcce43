"""The audit in the admin: to be searched and read."""

from typing import Any

from django.contrib import admin

from framework.audit.models import Entry


def _never(*_: Any, **__: Any) -> bool:
    return False


@admin.register(Entry)
class EntryAdmin(admin.ModelAdmin):
    show_full_result_count = False
    list_display = ("at", "actor", "via", "action", "object", "reason", "request_id")
    list_filter = ("at",)
    search_fields = ("object__exact", "actor__exact", "request_id__exact")
    search_help_text = "A whole object (catalog.product:7), actor (user:7) or request id."
    ordering = ("-id",)
    has_add_permission = has_change_permission = has_delete_permission = _never
