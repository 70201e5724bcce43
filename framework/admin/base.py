"""The admin's way to change things: through a domain's services, so that its rules hold here too."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, cast

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.functional import cached_property
from django.utils.html import format_html_join

from framework.actor import of_user
from framework.admin.fields import VERSION, column, refuse_mismatch, taken_by
from framework.audit.trail import entries
from framework.data import keysets
from framework.errors import DomainError


class VersionedForm(forms.ModelForm):
    """Carries the version that was read, so that a stale form is refused with its input kept."""

    version = forms.IntegerField(widget=forms.HiddenInput, required=False)

    def clean_version(self) -> int:
        read = self.cleaned_data["version"]
        if self.instance.pk is None:
            return int(self.instance.version)
        if read is None or self.is_stale(read):
            raise ValidationError("Somebody else has changed this meanwhile: open it again before you change it.")
        return int(read)

    def is_stale(self, read: int) -> bool:
        """Whether the row has changed since this version was read, in a way that this form would overwrite."""
        return bool(read != self.instance.version)


class BoundedPaginator(Paginator):
    """Counts a list's rows as `keysets.count` does, so a page of a large table costs what one of a small one does."""

    @cached_property
    def count(self) -> int:
        return keysets.count(cast("QuerySet[Any]", self.object_list))


class ServiceAdmin(admin.ModelAdmin):
    """Adds and changes rows by calling services, which get what the form has; a refusal is shown, not raised.

        create = staticmethod(services.create_product)  # (actor, draft)
        update = staticmethod(services.update_product)  # (actor, product_id, version, changes)

    The form has the model's editable fields, unless `fields` names some; `excluded` has the fields of the services
    that staff do not fill in. Where form and services differ, the process does not start.
    """

    create: ClassVar[Callable[..., Any]]
    update: ClassVar[Callable[..., Any]]
    excluded: ClassVar[Mapping[str, str]] = {}  # by field: the reason
    form = VersionedForm
    paginator = BoundedPaginator
    show_full_result_count = False  # one count a page less

    def get_urls(self) -> list[Any]:
        refuse_mismatch(self, (self.create, self.update), self.excluded)
        urls: list[Any] = super().get_urls()
        return urls

    def get_exclude(self, request: HttpRequest, obj: Any = None) -> Any:
        return [*(super().get_exclude(request, obj) or ()), *self.excluded]

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        actor = of_user(request.user)
        values = _values(obj, form.changed_data if change else form.fields)
        if change:
            self.update(actor, obj.pk, form.cleaned_data[VERSION], taken_by(self.update)(**values))
        else:
            obj.pk = self.create(actor, taken_by(self.create)(**values)).id

    def log_addition(self, request: HttpRequest, obj: Model, message: Any) -> Any:
        """Nothing: the service has written the audit."""

    log_change = log_addition

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return super().changeform_view(request, *args, **kwargs)
        except DomainError as error:
            details = "".join(f" {name}: {problem}." for name, problem in error.fields.items())
            self.message_user(request, error.message + details, messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())


def history(changed: str) -> str:
    """The audit of an object, for a read-only field."""
    rows = ((f"{row.at:%Y-%m-%d %H:%M:%S}", row.action, row.actor, row.reason) for row in entries(changed))
    return format_html_join("", "<div>{} {} by {} {}</div>", rows) or "Nothing yet."


def _values(row: Model, names: Iterable[str]) -> dict[str, Any]:
    """What the form has put into the row, as entities name it."""
    return {name: getattr(row, name) for name in (column(type(row), name) for name in names if name != VERSION)}


class ReadOnlyAdmin(admin.ModelAdmin):
    """For rows that only the system writes."""

    paginator = BoundedPaginator
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False
