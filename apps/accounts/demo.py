"""Demo users, for development only."""

from apps.accounts import repository

LOGINS = {"admin@example.com": "admin-demo-password", "customer@example.com": "customer-demo-password"}


def load() -> str:
    """Create one administrator and one customer; returns what was done."""
    for email, password in LOGINS.items():
        is_admin = email.startswith("admin")
        repository.create_user(email, password, is_staff=is_admin, is_superuser=is_admin)
    return f"accounts: {len(LOGINS)} users"
