"""For which reasons accounts refuses."""

REASONS = {  # for which each function refuses, beside bad values and missing rights
    "get_user": ("USER_NOT_FOUND",),
    "create_user": ("EMAIL_TAKEN",),
    "get_request": ("REQUEST_NOT_FOUND",),
    "delete_account": ("FRESH_LOGIN_NEEDED", "STAFF_ACCOUNT"),
    "export_account": ("FRESH_LOGIN_NEEDED",),
}
