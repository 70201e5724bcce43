"""Shows the machine's keeper of processes that a loop still turns, whatever has become of the stores."""

from django.conf import settings


def show() -> None:
    """Touch ALIVE_FILE, if there is one: deploy/healthcheck.py looks at its age."""
    if settings.ALIVE_FILE:
        settings.ALIVE_FILE.touch()
