"""Accounts as the other domains see them."""

from apps.accounts.entities import User
from apps.accounts.repository import get_user, get_users, staff_emails

__all__ = ["User", "get_user", "get_users", "staff_emails"]
