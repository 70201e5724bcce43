"""PgBouncer in transaction mode, with few connections, for as long as something is checked with it.

python -m deploy.pgbouncer COMMAND...     runs COMMAND with a DATABASE_URL that goes through it
"""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from framework.testing.servers import free_port, wait_for_port

PROGRAM = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
SIZE = 6  # connections to each database
CONFIGURATION = """
[databases]
* = {server}

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = {size}
max_client_conn = 500
query_wait_timeout = 10
; Or a database of tests could not be dropped.
server_idle_timeout = 1
"""


@contextlib.contextmanager
def running(url: str, size: int = SIZE) -> Iterator[str]:
    """In front of the server of `url`: yields the URL that leads through it, to the same database."""
    server = urlsplit(url)
    words = {"host": server.hostname, "port": server.port or 5432, "user": server.username, "password": server.password}
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="pgbouncer-") as folder:
        path = Path(folder) / "pgbouncer.ini"
        server_words = " ".join(f"{name}={value}" for name, value in words.items() if value)
        path.write_text(CONFIGURATION.format(server=server_words, port=port, size=size))
        process = _start(path)
        try:
            wait_for_port(port)
            yield server._replace(netloc=f"{server.username}@127.0.0.1:{port}").geturl()
        finally:
            process.terminate()
            process.wait(10)


def _start(configuration: Path) -> "subprocess.Popen[bytes]":
    assert PROGRAM
    who = ["-u", "nobody"] if os.getuid() == 0 else []  # it does not run as root
    return subprocess.Popen([PROGRAM, "-q", *who, str(configuration)], stderr=subprocess.DEVNULL)


if __name__ == "__main__":
    with running(os.environ["DATABASE_URL"]) as through:
        sys.exit(subprocess.run(sys.argv[1:], env=os.environ | {"DATABASE_URL": through}, check=False).returncode)
