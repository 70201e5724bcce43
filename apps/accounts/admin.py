"""The door for staff: users and, from Django, groups."""

from typing import Any

from allauth.mfa.utils import is_mfa_enabled
from allauth.usersessions.admin import UserSession, UserSessionAdmin
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.forms import AdminUserCreationForm, UserChangeForm
from django.contrib.auth.models import Group, Permission
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from apps.accounts import models, repository
from framework.admin.base import BoundedPaginator


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


admin.site.unregister(UserSession)


@admin.register(UserSession)
class SessionAdmin(UserSessionAdmin):
    """The account engine's own list searches by a user name, which our users have not."""

    paginator = BoundedPaginator
    show_full_result_count = False
    list_select_related = ("user",)
    search_fields = ("user__email__exact",)


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
    fieldsets = (
        (None, {"fields": ("email", "password", "is_active")}),
        ("Rights", {"fields": ("is_staff", "is_superuser", "groups", "user_permissions")}),
        ("Dates", {"fields": ("last_login", "date_joined")}),
    )
    add_fieldsets = ((None, {"classes": ("wide",), "fields": ("email", "usable_password", "password1", "password2")}),)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        own = super().get_readonly_fields(request, obj)
        return own if request.user.is_superuser else (*own, "is_superuser")

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if change and not obj.is_active:
            repository.end_sessions(obj.pk)
