"""Why accounts refuses, besides what every domain may say."""

REASONS = {
    "delete_account": ("FRESH_LOGIN_NEEDED", "STAFF_ACCOUNT"),
    "export_account": ("FRESH_LOGIN_NEEDED",),
}
