"""Demo users, for development only."""

from apps.accounts import repository

LOGINS = {f"{name}@example.com": f"{name}-demo-password" for name in ("admin", "customer", "editor", "support")}
GROUPS = {
    "editor": ("Catalog editors", ("catalog.view_product", "catalog.add_product", "catalog.change_product")),
    "support": ("Support", ("accounts.view_user", "audit.view_entry", "orders.view_order", "orders.change_order")),
}


def load() -> str:
    """Create an administrator, a customer, and two groups of staff with a member each; returns what was done."""
    for email, password in LOGINS.items():
        name = email.partition("@")[0]
        user = repository.create_user(email, password, is_staff=name != "customer", is_superuser=name == "admin")
        if name in GROUPS:
            repository.join_group(user.id, *GROUPS[name])
    return f"accounts: {len(LOGINS)} users, {len(GROUPS)} groups"
