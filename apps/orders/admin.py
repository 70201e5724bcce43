"""The door of orders for staff: looking, and cancelling with a reason."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ActionForm
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html

from apps.orders import models, services
from framework.actor import of_user
from framework.admin.base import ReadOnlyAdmin
from framework.errors import DomainError, InvalidArgument


class ReasonForm(ActionForm):
    reason = forms.CharField(required=False, max_length=500, label="Reason (to cancel):")


class ReadOnlyInline(admin.TabularInline):
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class LineInline(ReadOnlyInline):
    model = models.OrderLine
    fields = ("product", "name", "unit_price", "quantity")
    readonly_fields = ("product",)

    def product(self, line: models.OrderLine) -> str:
        """A link where the catalog is here; its rows have no foreign key."""
        try:
            url = reverse("admin:catalog_product_change", args=[line.product_id])
        except NoReverseMatch:
            return str(line.product_id)
        return format_html('<a href="{}">{}</a>', url, line.product_id)


class TransitionInline(ReadOnlyInline):
    model = models.Transition
    fields = ("at", "source", "target", "actor", "reason")


@admin.register(models.Order)
class OrderAdmin(ReadOnlyAdmin):
    list_display = ("id", "customer_id", "status", "total", "currency", "created_at")
    list_filter = ("status", "created_at")
    search_fields = ("id", "customer_id")  # as `get_search_results` compares them
    ordering = ("-created_at", "-id")
    exclude = ("key", "fingerprint")
    inlines = (LineInline, TransitionInline)
    action_form = ReasonForm
    actions = ("cancel",)

    def get_search_results(self, request: HttpRequest, rows: QuerySet[Any], search: str) -> tuple[QuerySet[Any], bool]:
        """Those of this number, or of this customer. Django's own would compare text, which no index has."""
        if not search:
            return rows, False
        number = int(search) if search.strip().isdecimal() else -1
        return rows.filter(Q(pk=number) | Q(customer_id=number)), False

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("orders.change_order"))

    @admin.action(description="Cancel selected orders", permissions=["cancel"])
    def cancel(self, request: HttpRequest, rows: QuerySet[models.Order]) -> None:
        cancelled = 0
        for order_id in list(rows.values_list("pk", flat=True)):
            try:
                services.cancel_order(of_user(request.user), order_id, request.POST.get("reason", ""))
                cancelled += 1
            except InvalidArgument as error:  # the reason, which all of them share
                self.message_user(request, error.message, messages.ERROR)
                break
            except DomainError as error:
                self.message_user(request, f"Order {order_id}: {error.message}", messages.ERROR)
        self.message_user(request, f"{cancelled} cancelled.")
