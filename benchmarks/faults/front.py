"""The project's nginx, and its Caddy in front of that, before processes of the harness."""

import os
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.faults.processes import Process, free_port, listens, wait_for

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
CONFIGURATION = DEPLOY / "nginx"
START_WITHIN = 10.0


class Front:
    """deploy/nginx with ports and files of its own; each upstream has the servers that it is given."""

    def __init__(self, folder: Path, servers: Mapping[str, Sequence[int]]) -> None:
        """`servers` are the ports of `web` and `grpc`."""
        folder.mkdir(exist_ok=True)
        self.port, self.grpc_port = free_port(), free_port()
        text = (CONFIGURATION / "nginx.conf").read_text()
        for old, new in {
            "listen 8080": f"listen 127.0.0.1:{self.port}",
            "listen 50051": f"listen 127.0.0.1:{self.grpc_port}",
            "/tmp/nginx.pid": f"{folder}/pid",
            "/dev/stderr": f"{folder}/error.log",
            "/dev/stdout": f"{folder}/access.log",
        }.items():
            text = text.replace(old, new)
        (folder / "nginx.conf").write_text(text)
        (folder / "upstreams.conf").write_text(_upstreams(servers))
        command = [_program("nginx"), "-p", str(folder), "-c", "nginx.conf", "-g", "daemon off;"]
        self.process = Process("nginx", command, os.environ, folder / "log")
        wait_for("nginx", lambda: listens(self.port), START_WITHIN)

    def stop(self) -> None:
        self.process.stop()


class Caddy:
    """deploy/server/Caddyfile without TLS, as there is no name here that a certificate could be for."""

    def __init__(self, folder: Path, front: Front) -> None:
        folder.mkdir()
        self.port = free_port()
        environment = os.environ | {"XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
        environment |= {"DOMAIN": f"http://127.0.0.1:{self.port}", "WEB": f"127.0.0.1:{front.port}"}
        environment |= {"GRPC_DOMAIN": f"http://127.0.0.1:{free_port()}", "GRPC": f"127.0.0.1:{front.grpc_port}"}
        command = [_program("caddy"), "run", "--adapter", "caddyfile", "--config", str(DEPLOY / "server" / "Caddyfile")]
        self.process = Process("caddy", command, environment, folder / "log")
        wait_for("Caddy", lambda: listens(self.port), START_WITHIN)


def _upstreams(servers: Mapping[str, Sequence[int]]) -> str:
    """The project's own, with a line for each server as it has one for each name."""

    def lines(found: re.Match[str]) -> str:
        return "\n".join(f"    server 127.0.0.1:{port}{found[2]};" for port in servers[found[1]])

    return re.sub(r"    server (\w+):\d+(.*);", lines, (CONFIGURATION / "upstreams.conf").read_text())


def _program(name: str) -> str:
    found = shutil.which(name, path=os.pathsep.join([os.environ["PATH"], "/usr/sbin"]))
    if found is None:
        raise SystemExit(f"{name} is needed: apt install {name}")
    return found
