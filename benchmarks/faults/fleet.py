"""Several processes of a role behind the project's nginx, as a deployment has them."""

import json
from typing import Any

from benchmarks.faults.front import Front
from benchmarks.faults.processes import Process, free_port, listens, wait_for
from benchmarks.faults.shop import Shop
from benchmarks.faults.world import START_WITHIN, World

STOCK = 1_000_000
SERVING = {
    "WEB_GRACE": "20",
    "DATABASE_POOL": "4",
    "TRUSTED_PROXIES": "127.0.0.1",
    "GRAPHQL_RATE": "0",
    "LOG_LEVEL": "WARNING",
}


class Fleet:
    """The processes by role; those that listen are ready once it is made."""

    def __init__(self, world: World, environment: dict[str, str], **roles: int) -> None:
        """`roles` says how many of each of web, grpc, worker, relay and beat."""
        fill = ("-m", "benchmarks.faults.fill")
        customer = json.loads(world.run(environment, *fill, "customer"))
        products = json.loads(world.run(environment, *fill, "products", "20", str(STOCK)))
        self.shop = Shop(customer["cookie"], customer["token"], products)
        self.ports: dict[str, int] = {}
        self.members: dict[str, list[Process]] = {}
        for role, count in roles.items():
            self.members[role] = [self._start(world, role, f"{role}{number}", environment) for number in range(count)]
        for name, port in self.ports.items():
            wait_for(name, lambda port=port: listens(port), START_WITHIN)  # type: ignore[misc]
        ports = {role: [self.ports[member.name] for member in self.members.get(role, [])] for role in ("web", "grpc")}
        self.front = Front(world.folder / "nginx", {role: found or [free_port()] for role, found in ports.items()})
        world.processes.append(self.front.process)

    @property
    def web(self) -> list[Process]:
        return self.members["web"]

    def _start(self, world: World, role: str, name: str, environment: dict[str, str]) -> Process:
        environment = environment | {"PGAPPNAME": role}  # so that PostgreSQL can tell whose its connections are
        starters: dict[str, Any] = {"worker": world.worker, "relay": world.relay, "beat": world.beat}
        if role in starters:
            started: Process = starters[role](environment, name)
            return started
        port = self.ports[name] = free_port()
        serving = environment | SERVING | {"PORT": str(port), "GRPC_PORT": str(port)}
        if role == "web":
            return world.start(name, serving, "-m", "gunicorn", "-c", "python:project.gunicorn", "project.wsgi")
        return world.start(name, serving, "manage.py", "grpcrunserver")
