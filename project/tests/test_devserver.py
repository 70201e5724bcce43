"""What `./run` starts, on a copy of the project that the test breaks."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time

import pytest

from framework.testing.servers import free_port


class System:
    """`python -m framework.management.devserver` on a copy of the project, which a test may break."""

    def __init__(self, folder):
        self.folder, self.port, self.ports = folder, free_port(), []
        for name in ("apps", "framework", "project", "protos"):
            shutil.copytree(name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "tests"))
        grpc_port = free_port()
        self.ports = [self.port, grpc_port]
        environ = {**os.environ, "PORT": str(self.port), "GRPC_PORT": str(grpc_port), "DATA_DIR": str(folder / "var")}
        environ |= {"DATABASE_URL": "", "PYTHONUNBUFFERED": "1"}
        self.output = (folder / "output").open("w+")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "framework.management.devserver"],
            cwd=folder,
            env=environ,
            stdout=self.output,
            stderr=self.output,
        )

    def printed(self, text):
        return (self.folder / "output").read_text().count(text)

    def is_up(self):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return True
        return False

    def wait_for(self, condition, seconds=60):
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, (self.folder / "output").read_text()
            time.sleep(0.05)


@pytest.fixture
def system(tmp_path):
    running = System(tmp_path)
    yield running
    running.process.send_signal(signal.SIGTERM)
    running.process.wait(30)
    running.output.close()


def test_the_system_survives_broken_code_and_its_launchers_death(system):
    system.wait_for(system.is_up)
    module = system.folder / "apps" / "accounts" / "entities.py"
    code = module.read_text()
    module.write_text(code + "\ndef broken(:\n")
    system.wait_for(lambda: system.printed("The system starts when a file changes."))
    assert system.printed("SyntaxError: invalid syntax") == 1
    system.wait_for(lambda: system.process.poll() is None)

    module.write_text(code)
    system.wait_for(lambda: system.printed("The system starts again.") and system.is_up())

    system.process.kill()
    system.process.wait()
    system.wait_for(lambda: not system.is_up())
    with socket.socket() as test:  # nor does gRPC hold its port
        test.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        system.wait_for(lambda: test.connect_ex(("127.0.0.1", system.ports[1])) != 0)
