"""Which process listens on a port, as Linux tells it in /proc."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_LISTENS = "0A"


def holder(port: int) -> str:
    """The process id and command of who listens on the port; empty where that cannot be known."""
    sockets = set(_sockets(port))
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended, or is another user's
            if any(os.readlink(file) in sockets for file in (process / "fd").iterdir()):
                return f"process {process.name}: {(process / 'cmdline').read_text().replace(chr(0), ' ').strip()}"
    return ""


def _sockets(port: int) -> Iterator[str]:
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with suppress(OSError):
            for line in Path(table).read_text().splitlines()[1:]:
                _, local, _, state, *_, inode = line.split()[:10]
                if state == _LISTENS and int(local.rpartition(":")[2], 16) == port:
                    yield f"socket:[{inode}]"
