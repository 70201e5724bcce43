"""The admin's way to change things: through a domain's services, so that its rules hold here too."""

from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.functional import cached_property

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
    """Subclasses change rows in `save_model` by calling services; a refusal is shown, not raised."""

    paginator = BoundedPaginator
    show_full_result_count = False  # one count a page less

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return super().changeform_view(request, *args, **kwargs)
        except DomainError as error:
            details = "".join(f" {name}: {problem}." for name, problem in error.fields.items())
            self.message_user(request, error.message + details, messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())


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
