"""What every page of the admin writes into the audit, in place of Django's own log."""

from typing import Any

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import urlencode

from framework.actor import of_user
from framework.audit import trail


class Audited(admin.ModelAdmin):
    """The site puts it under every page, those of packages too."""

    def construct_change_message(self, request: HttpRequest, form: Any, formsets: Any, add: bool = False) -> Any:
        """The values before and after, which come back as `message`."""
        names = form.changed_data
        before = {} if add else {name: _plain(form.initial.get(name)) for name in names}
        inlines = {each.prefix: each.changed_objects or each.new_objects for each in formsets or ()}
        after = {name: _plain(form.cleaned_data.get(name)) for name in names}
        return before, after | {name: [str(row) for row in rows] for name, rows in inlines.items() if rows}

    def log_addition(self, request: HttpRequest, obj: Model, message: Any) -> Any:
        self._record(request, "add", obj, *message)

    def log_change(self, request: HttpRequest, obj: Model, message: Any) -> Any:
        before, after = message if isinstance(message, tuple) else ({}, {"message": message})
        self._record(request, "change", obj, before, after)

    def log_deletions(self, request: HttpRequest, queryset: QuerySet) -> Any:
        for obj in queryset:
            values = {field.name: _plain(field.value_from_object(obj)) for field in obj._meta.concrete_fields}
            self._record(request, "delete", obj, values, {})

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """The object's entries."""
        search = urlencode({"q": trail.of(self.opts.label_lower, object_id)})
        return redirect(f"{reverse('admin:audit_entry_changelist')}?{search}")

    def _record(self, request: HttpRequest, verb: str, obj: Model, before: Any, after: Any) -> None:
        changed = trail.of(self.opts.label_lower, obj.pk)
        action = f"{self.opts.app_label}.{verb}_{self.opts.model_name}"
        trail.record(of_user(request.user), action, changed, before=before, after=after)

    def get_actions(self, request: HttpRequest) -> Any:
        """Without those that ask for no right, unless the user may change rows: packages forget to say it."""
        found: dict[str, Any] = super().get_actions(request)
        may_change = self.has_change_permission(request)
        return {name: found[name] for name in found if may_change or hasattr(found[name][0], "allowed_permissions")}


def _plain(value: Any) -> Any:
    """As JSON holds it."""
    if isinstance(value, QuerySet | list | tuple | set):
        return sorted(str(item) for item in value)
    return value if isinstance(value, str | int | bool | None) else str(value)
