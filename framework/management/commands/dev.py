"""`manage.py dev`: everything at once, in one terminal. What `./run` runs."""

import io
import os
import shlex
import socket
import sys
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from framework import discovery

KILL_AFTER = 15  # seconds a process gets to finish its work after Ctrl-C


def processes() -> dict[str, str]:
    """The processes of a whole system, by name, and how each is started."""
    manage = f"{shlex.quote(sys.executable)} manage.py"
    python = f"{shlex.quote(sys.executable)} -m"
    found = {
        "web": f"{python} gunicorn -c python:framework.web.gunicorn project.wsgi",
        "grpc": f"{manage} grpcrunserver --dev",
        # Threads finish what they run on SIGTERM; a prefork child would be killed with its group.
        "worker": f"{python} celery -A project worker --pool threads --concurrency 4 --loglevel WARNING",
        "beat": f"{python} celery -A project beat --loglevel WARNING --pidfile=",
        "relay": f"{manage} relay",
    }
    return found | ({"valkey": f"{manage} valkey"} if settings.EMBEDDED_VALKEY else {})


def check_ports() -> None:
    """Raise CommandError for a port that is taken, naming the port and the variable that moves it."""
    ports = {"PORT": settings.PORT, "GRPC_PORT": settings.GRPC_PORT}
    if settings.EMBEDDED_VALKEY:
        ports["VALKEY_PORT"] = settings.VALKEY_PORT
    for variable, port in ports.items():
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((settings.HOST if variable != "VALKEY_PORT" else "127.0.0.1", port))
            except OSError as error:
                raise CommandError(
                    f"Port {port} cannot be used ({error.strerror}): stop what uses it, or set {variable} to another."
                ) from None


class Command(BaseCommand):
    help = "Migrates, loads demo data once, and runs web, gRPC, worker, beat, relay and the embedded stores."

    def handle(self, *args: Any, **options: Any) -> None:
        check_ports()
        call_command("migrate", verbosity=0)
        call_command("schedules", stdout=io.StringIO())
        call_command("seed")
        self.stdout.write(_welcome())
        self.stdout.flush()
        sys.exit(_run(processes()))


def _run(commands: dict[str, str]) -> int:
    """Run them until one ends or Ctrl-C; returns the exit code of the one that ended first, 0 after Ctrl-C."""
    try:
        from honcho import manager
    except ImportError:
        raise CommandError("honcho is missing: pip install -r requirements/dev.txt") from None
    manager.KILL_WAIT = KILL_AFTER
    team = manager.Manager()
    for name, line in commands.items():
        team.add_process(name, f"exec {line}", cwd=str(settings.BASE_DIR), env={**os.environ, "PYTHONUNBUFFERED": "1"})
    team.loop()
    return 0 if team.returncode in (130, 143) else team.returncode


def _logins() -> Iterator[tuple[str, str]]:
    for module in discovery.modules("demo"):
        yield from getattr(module, "LOGINS", {}).items()


def _welcome() -> str:
    site = f"http://{settings.HOST}:{settings.PORT}"
    logins = "".join(f"\n    {email}  {password}" for email, password in _logins())
    demo = f"\n  Demo logins (the first may use the admin):{logins}\n" if settings.DEBUG else ""
    return f"""
{settings.PROJECT_NAME} is starting.

  GraphQL  {site}/graphql
  Admin    {site}/admin/
  gRPC     {settings.HOST}:{settings.GRPC_PORT}  (token: see docs/settings.md, GRPC_TOKENS)
{demo}
  Try first: open {site}/graphql and press the play button. Ctrl-C stops everything.
"""
