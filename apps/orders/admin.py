"""The door of orders for staff: looking, and cancelling with a reason."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ActionForm
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.html import format_html

from apps.orders import models, repository, services
from framework.actor import of_user
from framework.admin.base import ReadOnlyAdmin, history
from framework.admin.home import Line
from framework.audit import trail
from framework.errors import DomainError, InvalidArgument

PENDING_FOR = timedelta(minutes=10)


class ReasonForm(ActionForm):
    reason = forms.CharField(required=False, max_length=500, label="Reason (to cancel):")


def attention(request: HttpRequest) -> Iterator[Line]:
    """Orders that have been pending for too long."""
    if not request.user.has_perm("orders.view_order"):
        return
    if count := repository.count_pending(timezone.now() - PENDING_FOR):
        url = reverse("admin:orders_order_changelist") + "?status__exact=pending&o=6"
        yield Line("Orders pending for more than 10 minutes", url, f"{count}: does the catalog answer?")


def about_user(request: HttpRequest, user_id: int) -> Iterator[Line]:
    """The user's orders."""
    if request.user.has_perm("orders.view_order"):
        url = reverse("admin:orders_order_changelist") + f"?customer_id={user_id}"
        yield Line("Orders", url, str(repository.count_orders(user_id)))


class LineInline(admin.TabularInline):
    model = models.OrderLine
    extra = 0
    can_delete = False
    fields = ("product", "name", "unit_price", "quantity")
    readonly_fields = ("product",)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def product(self, line: models.OrderLine) -> str:
        """A link where the catalog is here; its rows have no foreign key."""
        try:
            url = reverse("admin:catalog_product_change", args=[line.product_id])
        except NoReverseMatch:
            return str(line.product_id)
        return format_html('<a href="{}">{}</a>', url, line.product_id)


@admin.register(models.Order)
class OrderAdmin(ReadOnlyAdmin):
    list_display = ("id", "customer_id", "status", "total", "currency", "created_at")
    list_filter = ("status", "created_at")
    search_fields = ("id", "customer_id")  # as `get_search_results` compares them
    ordering = ("-created_at", "-id")
    exclude = ("key", "fingerprint")
    readonly_fields = ("history",)
    inlines = (LineInline,)
    action_form = ReasonForm
    actions = ("cancel",)

    def history(self, order: models.Order) -> str:
        return history(trail.of("orders.order", order.pk))

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
