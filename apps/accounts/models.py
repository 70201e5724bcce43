from typing import Any, ClassVar

from allauth.account.models import EmailAddress
from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone

from apps.accounts.entities import DataRequestKind


class UserManager(BaseUserManager["User"]):
    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        user = self.model(email=email.lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        user = self.create_user(email, password, is_staff=True, is_superuser=True, **fields)
        EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
        return user

    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(email=(username or "").lower())


class User(AbstractBaseUser, PermissionsMixin):
    email = models.EmailField(unique=True)
    is_staff = models.BooleanField("staff", default=False, help_text="May use the admin and change what is sold.")
    is_active = models.BooleanField("active", default=True, help_text="Unset to end all sessions at once.")
    date_joined = models.DateTimeField(default=timezone.now, editable=False)

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"

    class Meta:
        constraints = [
            # Case makes no second account: the address is stored in lower case, whoever writes it.
            models.CheckConstraint(condition=models.Q(email=Lower("email")), name="accounts_user_email_lower")
        ]

    def clean(self) -> None:
        self.email = self.email.lower()

    def __str__(self) -> str:
        return self.email


class DataRequest(models.Model):
    """Outlives its user, as the receipt."""

    user_id = models.BigIntegerField(help_text="Of accounts; no foreign key, as the user may be erased.")
    kind = models.CharField(max_length=10, choices=[(kind.value, kind.name.title()) for kind in DataRequestKind])
    requested_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True)
    document = models.TextField(blank=True)

    class Meta:
        indexes = [models.Index(fields=["user_id", "kind"], name="accounts_datarequest_of_user")]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"
