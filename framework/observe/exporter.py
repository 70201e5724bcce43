"""Serves the metrics of a role, all its processes together: `http://host:port/metrics`, in Prometheus' format.

The roles listen at METRICS_PORT and the ports after it, so that they may share a machine; nothing in front passes
these ports on. Processes count in files of a folder that the role's first process makes, and reads when it is asked.
Without METRICS_PORT prometheus_client is not imported.
"""

import atexit
import os
import shutil
import tempfile
from importlib import import_module

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

ROLES = ("web", "grpc", "worker", "relay")  # in the order of their ports
DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"  # prometheus_client looks for it when it is imported


def port(role: str) -> int:
    """Where the role's metrics are; 0 when they are off."""
    first: int = settings.METRICS_PORT
    return first and first + ROLES.index(role)


def start(role: str) -> None:
    """Count and serve, if METRICS_PORT says so: called once, before the role's other processes are made.

    Raises ImproperlyConfigured when the port is taken.
    """
    if not port(role):
        return
    folder = os.environ[DIRECTORY] = tempfile.mkdtemp(prefix="metrics-")
    atexit.register(_remove, folder, os.getpid())
    observe()
    try:
        import_module("framework.observe.collectors").serve(role, settings.HOST, port(role))
    except OSError as error:
        raise ImproperlyConfigured(
            f"The metrics of {role} cannot be at port {port(role)} ({error.strerror}): set METRICS_PORT to another."
        ) from None


def observe() -> None:
    """Count what this process does, if the first process of its role serves what is counted."""
    if DIRECTORY in os.environ:
        import_module("framework.observe.metrics").observe()


def _remove(folder: str, maker: int) -> None:
    if os.getpid() == maker:  # not the children, which inherit what is to be done at exit
        shutil.rmtree(folder, ignore_errors=True)
