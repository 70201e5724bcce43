"""A RabbitMQ node for tests, that can crash and come back empty."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

from framework.testing.servers import free_port

START_WITHIN = 30.0  # seconds


def rabbitmq_server() -> Path | None:
    """The server's program; the wrapper that Debian has in the path runs as one user only."""
    found = shutil.which("rabbitmq-server", path=os.pathsep.join(["/usr/lib/rabbitmq/bin", os.environ["PATH"]]))
    return Path(found) if found else None


class RabbitMQ:
    """A node with its own name, ports and epmd, so that nothing is left running."""

    def __init__(self, folder: Path) -> None:
        self.port, epmd, distribution = free_port(), free_port(), free_port()
        self.folder = folder
        folder.mkdir()
        (folder / "plugins").write_text("[].")
        self._environment = os.environ | {
            "ERL_EPMD_PORT": str(epmd),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "HOME": str(folder),
            "RABBITMQ_MNESIA_BASE": str(folder / "mnesia_base"),
            "RABBITMQ_LOG_BASE": str(folder / "log_base"),
            "RABBITMQ_PID_FILE": str(folder / "pid_file"),
            "RABBITMQ_NODENAME": f"own{self.port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(distribution),
            "RABBITMQ_CONFIG_FILE": str(folder / "none"),
            "RABBITMQ_CONF_ENV_FILE": str(folder / "none"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
        }
        self._epmd = self._start("epmd", "-port", str(epmd))
        self.restart()

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self.port}//"

    def restart(self) -> None:
        """Start the node and wait until it answers. Raises TimeoutError."""
        self._node = self._start(str(rabbitmq_server()))
        end = time.monotonic() + START_WITHIN
        while not self._answers():
            if time.monotonic() > end:
                raise TimeoutError(f"RabbitMQ does not answer within {START_WITHIN:g} s; its log is in {self.folder}")
            time.sleep(0.05)

    def crash(self) -> None:
        """Kill all of its processes at once, as when its machine fails."""
        _kill(self._node)

    def wipe(self) -> None:
        """Delete what it has stored, as for a node that was replaced. Only while it is down."""
        shutil.rmtree(self.folder / "mnesia_base")

    def stop(self) -> None:
        _kill(self._node)
        _kill(self._epmd)

    def _start(self, *command: str) -> "subprocess.Popen[bytes]":
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(command, env=self._environment, stdout=log, stderr=log, start_new_session=True)

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1) as connection:
            connection.sendall(b"AMQP\x00\x00\x09\x01")
            return bool(connection.recv(1))
        return False


def _kill(process: "subprocess.Popen[bytes]") -> None:
    """Kill the process and the children in its session."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
