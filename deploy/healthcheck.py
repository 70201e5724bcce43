"""The image's health check, of whichever role the container has: exit code 0 for healthy.

It runs every few seconds in every container, so it starts fast: Django stays out of it.
"""

import http.client
import os
import socket
import sys
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

PATIENCE = 4  # seconds


def role(command_line: str) -> str:
    """What the entry point was told: the word after its name."""
    _, _, rest = command_line.partition("entrypoint.sh\0")
    return rest.partition("\0")[0]


def web(port: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=PATIENCE)
    connection.request("GET", "/health/live")
    return connection.getresponse().status == 200


def rpc(port: str) -> bool:
    """Any answer will do: that it is not SERVING while the database is away is no reason to start it again."""
    if os.environ.get("GRPC_TLS_CERT"):
        # Its certificate is for another name than this, and it may ask for one of ours.
        socket.create_connection(("127.0.0.1", int(port)), PATIENCE).close()
        return True
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=PATIENCE)
    return True


def healthy(name: str) -> bool:
    """The other roles listen nowhere; when one of them cannot go on it ends, and so does its container."""
    try:
        return all(
            check(os.environ.get(variable) or port)
            for roles, check, variable, port in (
                (("web", "all"), web, "PORT", "8000"),
                (("grpc", "all"), rpc, "GRPC_PORT", "50051"),
            )
            if name in roles
        )
    except (OSError, http.client.HTTPException, grpc.RpcError) as error:
        print(f"{name}: {error}", file=sys.stderr)
        return False


if __name__ == "__main__":
    sys.exit(not healthy(role(Path("/proc/1/cmdline").read_text())))
