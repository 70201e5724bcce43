"""`manage.py grpcrunserver`: the gRPC server, in place of django-grpc-framework's command of the same name."""

import multiprocessing
import threading
import time
from multiprocessing import connection
from multiprocessing.process import BaseProcess
from typing import Any

import django
import structlog
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import autoreload

from framework.data import database
from framework.grpc import server as grpc_server
from framework.observe import exporter
from framework.signals import stop_on_signals

RESTART_PAUSE = 1.0  # seconds: a process that dies at once must not be started a hundred times a second
STOP_MARGIN = 5.0  # seconds beyond the grace time before a process is killed

log = structlog.get_logger("grpc")


class Command(BaseCommand):
    help = "Serves the domains over gRPC until SIGTERM, then finishes the calls in flight."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("address", nargs="?", help="[host:]port; by default HOST and GRPC_PORT")
        parser.add_argument("--processes", type=int, default=1, help="processes that share the port")
        parser.add_argument("--dev", action="store_true", help="start again when the code changes")

    def handle(self, *args: Any, **options: Any) -> None:
        address = full_address(options["address"] or "")
        if options["processes"] < 1 or (options["dev"] and options["processes"] > 1):
            raise CommandError("--processes must be 1 or more, and 1 with --dev.")
        try:
            if not options["dev"]:
                exporter.start("grpc")
                database.check_room("grpc", options["processes"])
            if options["dev"]:
                autoreload.run_with_reloader(_serve_for_developers, address)
            elif options["processes"] > 1:
                _supervise(address, options["processes"])
            else:
                grpc_server.serve(address)
        except grpc_server.AddressInUse as error:
            raise CommandError(str(error)) from None


def full_address(text: str) -> str:
    """`host:port` from `[host:]port`, completed by the settings; an IPv6 host in brackets."""
    host, _, port = text.rpartition(":")
    host = host or settings.HOST
    port = port or str(settings.GRPC_PORT)
    if not port.isdecimal() or int(port) > 65535:
        raise CommandError(f"{text!r} is not [host:]port.")
    return f"[{host}]:{port}" if ":" in host and not host.startswith("[") else f"{host}:{port}"


def _serve_for_developers(address: str) -> None:
    # The reloader runs this in a thread, which may not handle signals, and ends the process itself.
    exporter.start("grpc")
    grpc_server.serve(address, stop=threading.Event())


def _supervise(address: str, count: int) -> None:
    """Keep `count` processes serving `address` until a signal; a process that dies is replaced."""
    stopped = stop_on_signals()
    with grpc_server.hold_port(address):
        processes = [_spawn(address) for _ in range(count)]
        while not stopped.is_set():
            connection.wait([process.sentinel for process in processes], timeout=0.2)
            for index, process in enumerate(processes):
                if not process.is_alive() and not stopped.is_set():
                    log.error("gRPC process died", pid=process.pid, exit_code=process.exitcode)
                    stopped.wait(RESTART_PAUSE)
                    processes[index] = _spawn(address)
        _stop(processes)


def _spawn(address: str) -> BaseProcess:
    process = multiprocessing.get_context("spawn").Process(target=_serve_in_child, args=(address,))
    process.start()
    return process


def _stop(processes: list[BaseProcess]) -> None:
    for process in processes:
        process.terminate()
    last_moment = time.monotonic() + settings.GRPC_GRACE + STOP_MARGIN
    for process in processes:
        process.join(max(0, last_moment - time.monotonic()))
        process.kill()


def _serve_in_child(address: str) -> None:
    django.setup()
    stopped = stop_on_signals()
    threading.Thread(target=_stop_with_parent, args=(stopped,), daemon=True).start()
    grpc_server.serve(address, share_port=True, stop=stopped)


def _stop_with_parent(stopped: threading.Event) -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        stopped.set()
