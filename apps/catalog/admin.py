"""The catalog's door for staff."""

from collections.abc import Iterator
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse

from apps.catalog import models, repository, services
from apps.catalog.tasks import LOW
from framework.actor import of_user
from framework.admin.base import ServiceAdmin, VersionedForm
from framework.admin.home import Line
from framework.errors import DomainError


def attention(request: HttpRequest) -> Iterator[Line]:
    """What is about to run out."""
    if request.user.has_perm("catalog.view_product") and (count := len(repository.low_stock(LOW))):
        url = reverse("admin:catalog_product_changelist") + f"?is_active__exact=1&stock__lt={LOW}"
        yield Line("Products low in stock", url, f"{count} with fewer than {LOW} left")


class ProductForm(VersionedForm):
    """Keeps the stock that was shown, so that a sale meanwhile is not taken for an edit by this user."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "stock" in self.fields:  # not where the page is read-only
            self.fields["stock"].show_hidden_initial = True

    def is_stale(self, read: int) -> bool:
        return bool(self.instance.is_stale(read, stock="stock" in self.changed_data))


@admin.register(models.Product)
class ProductAdmin(ServiceAdmin):
    create = staticmethod(services.create_product)
    update = staticmethod(services.update_product)
    form = ProductForm
    list_display = ("sku", "name", "price", "currency", "stock", "is_active", "updated_at")
    list_display_links = ("sku", "name")
    list_filter = ("is_active", "currency")
    search_fields = ("sku", "name")
    ordering = ("name", "id")
    actions = ("archive",)

    @admin.action(description="Archive selected products", permissions=["change"])
    def archive(self, request: HttpRequest, rows: QuerySet[models.Product]) -> None:
        archived = 0
        for product_id, version in rows.values_list("pk", "version"):
            try:
                services.archive_product(of_user(request.user), product_id, version)
                archived += 1
            except DomainError as error:
                self.message_user(request, error.message, messages.ERROR)
        self.message_user(request, f"{archived} archived.")
