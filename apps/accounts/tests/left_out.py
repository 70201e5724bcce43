"""Which place lacks a field that the others have, and why."""

LEFT_OUT = {
    "entity User.password": "never leaves",
    "entity User.is_active": "an inactive user has no session",
    "entity User.is_superuser": "others ask for permissions",
    "entity User.last_login": "the admin shows it",
    "entity User.date_joined": "the admin shows it",
}
