"""Server processes: started on a core of their own, watched, and ended by their own pid."""

import contextlib
import os
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

START_WITHIN = 60.0  # seconds
STOP_WITHIN = 10.0
TICK = os.sysconf("SC_CLK_TCK")


class Server:
    """One server process (and its children), listening on `port`."""

    def __init__(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], port: int, log: Path, core: int = 0
    ) -> None:
        self.name = name
        self.port = port
        self.log = log
        with log.open("wb") as output, on_core(core):
            self.process = subprocess.Popen(list(command), env=dict(environment), stdout=output, stderr=output)

    def wait(self) -> None:
        """Return once it accepts connections. Raises RuntimeError with the end of its log if it does not."""
        last_moment = time.monotonic() + START_WITHIN
        while time.monotonic() < last_moment and self.process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return
            time.sleep(0.1)
        raise RuntimeError(f"{self.name} did not start:\n{self.log.read_text()[-3000:]}")

    def cpu(self) -> float:
        """Seconds of CPU that the process and its children have used."""
        return cpu(self.process.pid)

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(STOP_WITHIN)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


@contextlib.contextmanager
def running(servers: Sequence[Server]) -> Iterator[None]:
    """Wait for all of them; stop all of them at the end, whatever happens."""
    try:
        for server in servers:
            server.wait()
        yield
    finally:
        for server in servers:
            server.stop()


def cpu(pid: int) -> float:
    """Seconds of CPU that the process and its children have used."""
    return sum(_ticks(one) for one in (pid, *_children(pid))) / TICK


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def on_core(core: int) -> Iterator[None]:
    """Run on one core meanwhile; processes started here stay on it. Does nothing where that cannot be done."""
    cores = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
    if len(cores) < 2:
        yield
        return
    os.sched_setaffinity(0, {sorted(cores)[core]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def busy(seconds: float = 1.0) -> float:
    """How much of the machine others use now: 0 to 1."""
    before = _machine_ticks()
    time.sleep(seconds)
    idle, total = (after - was for after, was in zip(_machine_ticks(), before, strict=True))
    return 1 - idle / max(total, 1)


def _machine_ticks() -> tuple[int, int]:
    fields = [int(text) for text in Path("/proc/stat").read_text().splitlines()[0].split()[1:]]
    return fields[3] + fields[4], sum(fields[:8])


def _ticks(pid: int) -> int:
    """What it has used, and those of its children that have ended."""
    return sum(map(int, _stat(pid)[11:15]))


def _children(pid: int) -> list[int]:
    pids = (int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit())
    return [child for child in pids if (fields := _stat(child)) and int(fields[1]) == pid]


def _stat(pid: int) -> list[str]:
    """The fields of /proc/<pid>/stat after the command's name."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
