"""The image's health check, of whichever role the container has: exit code 0 for healthy.

It runs every few seconds in every container, so it starts fast: Django stays out of it, and gRPC where it is not asked.
"""

import http.client
import os
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

ALIVE = "/tmp/alive-{}"  # noqa: S108 - as deploy/entrypoint.sh has it
PATIENCE = 4  # seconds
SILENCE = 60  # seconds after which a loop counts as hung; by itself it waits for 5 at most


def role(command_line: str) -> str:
    """What the entry point was told: the word after its name."""
    _, _, rest = command_line.partition("entrypoint.sh\0")
    return rest.partition("\0")[0]


def web() -> bool:
    port = os.environ.get("PORT") or "8000"
    connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=PATIENCE)
    connection.request("GET", "/health/live")
    return connection.getresponse().status == 200


def rpc() -> bool:
    """Any answer will do: that it is not SERVING while the database is away is no reason to start it again."""
    port = os.environ.get("GRPC_PORT") or "50051"
    if os.environ.get("GRPC_TLS_CERT"):
        # Its certificate is for another name than this, and it may ask for one of ours.
        socket.create_connection(("127.0.0.1", int(port)), PATIENCE).close()
        return True
    import grpc
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=PATIENCE)
    return True


def loops(name: str) -> bool:
    """The role listens nowhere, but touches a file each time its loop comes round."""
    return time.time() - Path(ALIVE.format(name)).stat().st_mtime < SILENCE


CHECKS: dict[str, Callable[[], bool]] = {
    "web": web,
    "grpc": rpc,
    "worker": lambda: loops("worker"),
    "beat": lambda: loops("beat"),
    "relay": lambda: loops("relay"),
}


def healthy(name: str) -> bool:
    """Whether the role answers, or turns; all of them in the container that has them all."""
    for each in CHECKS if name == "all" else [name]:
        try:
            well, why = each not in CHECKS or CHECKS[each](), "it is silent"
        except Exception as error:  # whatever is raised on the way, there was no answer
            well, why = False, str(error)
        if not well:
            print(f"{each}: {why}", file=sys.stderr)
            return False
    return True


if __name__ == "__main__":
    sys.exit(not healthy(role(Path("/proc/1/cmdline").read_text())))
