"""The door for staff: users and, from Django, groups."""

from django.contrib import admin
from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.forms import AdminUserCreationForm, UserChangeForm

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


@admin.register(models.User)
class UserAdmin(DjangoUserAdmin):
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
