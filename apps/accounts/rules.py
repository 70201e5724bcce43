"""Why accounts refuses, beside bad values and missing rights: the reasons of each function."""

REASONS = {"get_user": ("USER_NOT_FOUND",), "create_user": ("EMAIL_TAKEN",)}
