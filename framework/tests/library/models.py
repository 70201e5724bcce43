from typing import ClassVar

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.db import models
from django.utils import timezone


class UserManager(BaseUserManager["User"]):
    def create_user(self, email: str, **fields: bool) -> "User":
        return self.create(email=email, **fields)


class User(AbstractBaseUser, PermissionsMixin):
    """The least that AUTH_USER_MODEL needs for sessions and the admin."""

    email = models.EmailField(unique=True)
    is_staff = models.BooleanField(default=False)
    is_active = models.BooleanField(default=True)
    date_joined = models.DateTimeField(default=timezone.now)

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "email"


class Book(models.Model):
    title = models.CharField(max_length=100)
    copies = models.PositiveIntegerField(default=1)

    def __str__(self) -> str:
        return self.title
