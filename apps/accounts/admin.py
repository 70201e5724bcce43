"""The door for staff: users and, from Django, groups."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.forms import AdminUserCreationForm, UserChangeForm
from django.contrib.auth.models import Group, Permission
from django.db.models import Model, QuerySet
from django.http import HttpRequest

from apps.accounts import models


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


class LoginForm(AdminAuthenticationForm):
    """Wrong passwords are counted by address: another case of it must not be another count."""

    def clean_username(self) -> str:
        username: str = self.cleaned_data["username"]
        return username.lower()


admin.site.login_form = LoginForm


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
