"""`manage.py dev`: everything at once, in one terminal. The roles that framework/management/devserver.py runs."""

import gc
import io
import os
import socket
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from celery import current_app
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.urls import get_resolver

from framework import discovery
from framework.management import devserver, ports
from framework.management.commands import grpcrunserver, relay, valkey
from framework.observe import health


class Command(BaseCommand):
    help = "Migrates, loads demo data once, and runs web, gRPC, worker, beat, relay and the embedded stores."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        os.execv(sys.executable, [sys.executable, "-m", "framework.management.devserver"])  # noqa: S606


def prepare(*, first: bool) -> Mapping[str, Callable[[], object]]:
    """The roles, with everything imported that they share.

    At the first execution, what they need is set up. Raises CommandError when that fails.
    """
    get_resolver().url_patterns  # noqa: B018 - imports every schema and admin
    current_app.loader.import_default_modules()
    if first:
        check_ports()
        start_valkey()
        if _in_process_of_its_own(set_up):
            raise CommandError("The system could not be set up.")
    print(_summary() if first else "The system starts again.", flush=True)
    gc.freeze()  # or collecting garbage would copy the memory that the roles share
    roles = {"web": web, "grpc": grpc, "worker": worker, "beat": beat, "relay": run_relay}
    return roles if first else roles | {"check": check_migrations}


def check_ports() -> None:
    """Raise CommandError for a port that is taken, naming the port and the variable that moves it."""
    wanted = {"PORT": settings.PORT, "GRPC_PORT": settings.GRPC_PORT}
    if settings.EMBEDDED_VALKEY:
        wanted["VALKEY_PORT"] = settings.VALKEY_PORT
    for variable, port in wanted.items():
        with socket.socket() as test:
            test.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                test.bind((settings.HOST if variable != "VALKEY_PORT" else "127.0.0.1", port))
            except OSError as error:
                who = ports.holder(port) or "what uses it"
                raise CommandError(
                    f"Port {port} cannot be used ({error.strerror}): stop {who}. Or set {variable} to another."
                ) from None


def start_valkey() -> None:
    """Start the embedded Valkey, unless REDIS_URL names another. It stays until this process ends."""
    if settings.EMBEDDED_VALKEY:
        server = subprocess.Popen(
            valkey.command(settings.VALKEY_PORT, settings.DATA_DIR / "valkey"),
            stdout=subprocess.DEVNULL,
            preexec_fn=devserver.die_with_parent,
            start_new_session=True,
        )
        os.environ[devserver.VALKEY] = str(server.pid)


def set_up() -> None:
    call_command("migrate", verbosity=0)
    call_command("schedules", stdout=io.StringIO())
    call_command("seed")


def check_migrations() -> None:
    """Say that migrations are missing: a reload does not apply them, as they may be half-written."""
    for problem in health.check().problems:
        print(problem)


def _in_process_of_its_own(task: Callable[[], None]) -> int:
    """Run it in a child, so that the roles inherit no connections and no threads; returns its exit code."""
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    code = 1
    try:
        task()
        code = 0
    except CommandError as error:
        print(error, file=sys.stderr)
    finally:
        sys.stdout.flush()
        if code:
            sys.excepthook(*sys.exc_info())
        os._exit(code)


def web() -> None:
    from gunicorn.app.wsgiapp import run

    warnings.filterwarnings("ignore", "No directory at")  # static files are collected for production only
    settings_of_gunicorn = ["-c", "python:framework.web.gunicorn", "--workers", "1", "--log-level", "warning"]
    sys.argv = ["gunicorn", *settings_of_gunicorn, "project.wsgi"]
    run()


def grpc() -> None:
    call_command(grpcrunserver.Command())


def worker() -> None:
    warnings.filterwarnings("ignore", "You're running the worker with superuser")
    # Threads share the memory and finish their tasks on SIGTERM.
    current_app.start(["--quiet", "worker", "--pool", "threads", "--concurrency", "4", "--loglevel", "WARNING"])


def beat() -> None:
    current_app.start(["--quiet", "beat", "--loglevel", "WARNING", "--pidfile="])


def run_relay() -> None:
    call_command(relay.Command())


def _logins() -> Iterator[tuple[str, str]]:
    for module in discovery.modules("demo"):
        yield from getattr(module, "LOGINS", {}).items()


def _summary() -> str:
    site = f"http://{settings.HOST}:{settings.PORT}"
    lines = [
        f"web    | {site}/graphql and {site}/admin/",
        f"grpc   | {settings.HOST}:{settings.GRPC_PORT}, with a token of GRPC_TOKENS",
        f"redis  | {settings.REDIS_URL.rpartition('@')[2].removeprefix('redis://')}",
        *(f"login  | {email}  {password}" for email, password in _logins()),
    ]
    return "\n".join(lines)
