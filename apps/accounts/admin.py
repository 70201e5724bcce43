"""The door for staff: users and, from Django, groups."""

from collections.abc import Callable, Iterator
from typing import Any

from allauth.mfa.utils import is_mfa_enabled
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.forms import AdminUserCreationForm, UserChangeForm
from django.contrib.auth.models import Group, Permission
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from apps.accounts import models, repository
from framework.actor import of_user
from framework.admin import home
from framework.admin.base import BoundedPaginator
from framework.audit import trail


def about_user(request: HttpRequest, user_id: int) -> Iterator[home.Line]:
    """Where the user is logged in, and with which factors."""
    url = f"{reverse('admin:accounts_user_changelist')}?id={user_id}"
    if request.user.has_perm("accounts.view_user"):
        for ip, seen, agent in repository.sessions(user_id):
            yield home.Line("Session", url, f"{ip}, last seen {seen:%Y-%m-%d %H:%M}: {agent}")
        for kind, used in repository.factors(user_id):
            yield home.Line(f"Second factor: {kind}", url, f"last used {used:%Y-%m-%d %H:%M}" if used else "never used")


class LowerCaseEmail:
    """The address is stored in lower case; the form brings it there before it looks whether it is taken."""

    def clean_email(self) -> str:
        return self.cleaned_data["email"].lower()  # type: ignore[attr-defined,no-any-return]


class ChangeForm(LowerCaseEmail, UserChangeForm):
    class Meta(UserChangeForm.Meta):
        model = models.User


class CreationForm(LowerCaseEmail, AdminUserCreationForm):
    class Meta(AdminUserCreationForm.Meta):
        model = models.User
        fields = ("email",)


def may_use_admin(request: HttpRequest) -> bool:
    """Staff, with a second factor where the settings ask for one."""
    user = request.user
    return bool(user.is_active and user.is_staff) and (not settings.STAFF_SECOND_FACTOR or is_mfa_enabled(user))


def login(request: HttpRequest, extra_context: Any = None) -> HttpResponse:
    """Staff log in where everybody does; who lacks a second factor is sent to set one up."""
    user = request.user
    if not user.is_authenticated:
        return redirect_to_login(request.GET.get("next") or reverse("admin:index"))
    if user.is_staff and not may_use_admin(request):
        messages.info(request, "The admin needs a second factor: set one up, then open it again.")
        return redirect("mfa_index")
    raise PermissionDenied


admin.site.login = login  # type: ignore[method-assign]
admin.site.has_permission = may_use_admin  # type: ignore[method-assign]


class OwnRightsOnly:
    """Staff cannot give a right that they lack, nor change a user or group that has a right they lack."""

    rights = ""  # the field that holds permissions

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        allowed: bool = super().has_change_permission(request, obj)  # type: ignore[misc]
        return allowed and (obj is None or covers(request.user, obj))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        allowed: bool = super().has_delete_permission(request, obj)  # type: ignore[misc]
        return allowed and (obj is None or covers(request.user, obj))

    def formfield_for_manytomany(self, db_field: Any, request: Any, **kwargs: Any) -> Any:
        if db_field.name == self.rights:
            kwargs["queryset"] = permissions_of(request.user).select_related("content_type")
        if db_field.name == "groups":
            kwargs["queryset"] = groups_of(request.user)
        return super().formfield_for_manytomany(db_field, request, **kwargs)  # type: ignore[misc]


def covers(user: Any, other: Model) -> bool:
    """Whether the user has every right of the other user or group."""
    if user.is_superuser:
        return True
    if isinstance(other, Group):
        return not other.permissions.exclude(pk__in=permissions_of(user)).exists()
    return (
        not getattr(other, "is_superuser", False)
        and not permissions_of(other).exclude(pk__in=permissions_of(user)).exists()
    )


def permissions_of(user: Any) -> QuerySet[Permission]:
    if user.is_superuser:
        return Permission.objects.all()
    return (Permission.objects.filter(user=user) | Permission.objects.filter(group__user=user)).distinct()


def groups_of(user: Any) -> QuerySet[Group]:
    """The groups all of whose permissions the user has."""
    missing = Permission.objects.exclude(pk__in=permissions_of(user))
    return Group.objects.exclude(permissions__in=missing)


admin.site.unregister(Group)


@admin.register(Group)
class GroupAdmin(OwnRightsOnly, DjangoGroupAdmin):
    rights = "permissions"


@admin.register(models.User)
class UserAdmin(OwnRightsOnly, DjangoUserAdmin):
    rights = "user_permissions"
    form = ChangeForm
    add_form = CreationForm
    paginator = BoundedPaginator
    show_full_result_count = False
    list_display = ("email", "is_staff", "is_active", "date_joined")
    list_filter = ("is_staff", "is_active", "groups")
    search_fields = ("email",)
    ordering = ("email",)
    readonly_fields = ("last_login", "date_joined")
    actions = ("end_sessions", "reset_factors")
    fieldsets = (
        (None, {"fields": ("email", "password", "is_active")}),
        ("Rights", {"fields": ("is_staff", "is_superuser", "groups", "user_permissions")}),
        ("Dates", {"fields": ("last_login", "date_joined")}),
    )
    add_fieldsets = ((None, {"classes": ("wide",), "fields": ("email", "usable_password", "password1", "password2")}),)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        own = super().get_readonly_fields(request, obj)
        return own if request.user.is_superuser else (*own, "is_superuser")

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Any = None,
    ) -> HttpResponse:
        """With the user's sessions, factors, and what other domains have of them."""
        context["about"] = list(home.lines("about_user", request, obj.pk)) if obj else []
        return super().render_change_form(request, context, add, change, form_url, obj)

    @admin.action(description="End all sessions of the selected users", permissions=["change"])
    def end_sessions(self, request: HttpRequest, rows: QuerySet[models.User]) -> None:
        self._act(request, rows, "accounts.end_sessions", repository.end_sessions)

    @admin.action(description="Remove all second factors of the selected users", permissions=["change"])
    def reset_factors(self, request: HttpRequest, rows: QuerySet[models.User]) -> None:
        self._act(request, rows, "accounts.reset_factors", repository.reset_factors)

    def _act(self, request: HttpRequest, rows: QuerySet[models.User], action: str, act: Callable[[int], None]) -> None:
        """Do it to each user whom the staff user may change, and write it down."""
        users = [user for user in rows if covers(request.user, user)]
        for user in users:
            with transaction.atomic():
                act(user.pk)
                trail.record(of_user(request.user), action, trail.of("accounts.user", user.pk))
        self.message_user(request, f"Done for {len(users)} of {len(rows)} users; others have rights that you lack.")

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if change and not obj.is_active:
            repository.end_sessions(obj.pk)
