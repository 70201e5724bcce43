"""What is to run on ECS: the files of deploy/ecs, checked against the settings' own declaration."""

import math
import os
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from django.core.exceptions import ImproperlyConfigured
from django.utils.text import slugify

from framework import env
from framework.data import database
from framework.grpc import server as grpc_server
from framework.observe import exporter
from project.env import BASE_DIR, Env

FOLDER = BASE_DIR / "deploy" / "ecs"
STOP_MARGIN = 10  # seconds between the end of a role's drain and its being killed
DOMAINS = Env.model_fields["domains"].default
LONGEST_STOP = 120  # seconds: Fargate allows no more
PROCESSES = {"web": "WEB_WORKERS", "worker": "WORKER_PROCESSES"}
QUICK = 5  # seconds for roles that have nothing to drain
# What the settings are checked with in the place of the secrets, which only AWS knows.
STAND_INS = {
    "SECRET_KEY": "0123456789 abcdefghijklmnopqrstuvwxyz 0123456789 abcdefghijklmnopqrstuvwxyz",
    "DATABASE_URL": "postgres://user:password@database:5432/name",
    "REDIS_URL": "redis://redis:6379/0",
    "GRPC_TOKENS": "service:0123456789abcdef",
    "EMAIL_URL": "smtp://mail.example.com",
}


class Size(NamedTuple):
    cpu: int  # in 1/1024
    memory: int  # in MiB
    min: int  # tasks
    max: int


class Task(NamedTuple):
    """One role of one installation."""

    installation: str
    role: str
    size: Size
    variables: dict[str, str]
    secrets: tuple[str, ...]
    drain: int  # seconds
    connections: int  # to PostgreSQL, at most, of all its tasks
    is_public: bool

    @property
    def name(self) -> str:
        return f"{self.installation}-{self.role}"

    @property
    def id(self) -> str:
        """Its name as CloudFormation allows it in names of resources."""
        return "".join(word.capitalize() for word in self.name.split("-"))

    @property
    def port(self) -> int | None:
        variable = {"web": "PORT", "grpc": "GRPC_PORT"}.get(self.role)
        return int(self.variables[variable]) if variable else None

    @property
    def stop_timeout(self) -> int:
        return self.drain + STOP_MARGIN


class Plan(NamedTuple):
    project: str
    environment: str
    aws: dict[str, Any]
    tasks: tuple[Task, ...]

    @property
    def migrations(self) -> list[Task]:
        return [task for task in self.tasks if task.role == "migrate"]

    @property
    def services(self) -> list[Task]:
        return [task for task in self.tasks if task.role != "migrate"]

    @property
    def connections(self) -> Counter[str]:
        """The most that each installation opens to its database, when all its tasks run."""
        found: Counter[str] = Counter()
        for task in self.tasks:
            found[task.installation] += task.connections
        return found

    @property
    def metrics_ports(self) -> tuple[int, int] | None:
        """The first and the last port of the metrics, of all roles; None when they are off."""
        first = int(self.tasks[0].variables.get("METRICS_PORT", 0))
        return (first, first + len(exporter.ROLES) - 1) if first else None

    @property
    def opens_shells(self) -> bool:
        return bool(self.aws.get("shell", False))

    @property
    def name(self) -> str:
        return f"{self.project}-{self.environment}"

    @property
    def namespace(self) -> str:
        """The private domain of the names by which services find each other."""
        return f"{self.environment}.{self.project}.internal"


def environments(folder: Path = FOLDER) -> list[str]:
    return sorted(path.stem for path in folder.glob("*.toml") if path.stem != "services")


def load(environment: str, folder: Path = FOLDER) -> Plan:
    """Read services.toml and the environment's values.

    Raises ImproperlyConfigured for a variable that the settings do not read, one they need and do not get, a value
    they refuse, and for installations that do not fit together.
    """
    services = tomllib.loads((folder / "services.toml").read_text())
    values = tomllib.loads((folder / f"{environment}.toml").read_text())
    project = slugify(services["variables"].get("PROJECT_NAME", Env.model_fields["project_name"].default))
    plan = Plan(project, environment, values["aws"], ())
    installations = {name: {"domains": DOMAINS} | given for name, given in services["installations"].items()}
    holders = _holders(installations)
    plan = plan._replace(
        tasks=tuple(
            task
            for name, installation in installations.items()
            for task in _tasks(plan, name, installation, services, values, holders)
        )
    )
    if plan.metrics_ports and not plan.aws.get("monitoring"):
        raise ImproperlyConfigured("METRICS_PORT is set: name the security group that may ask as monitoring in [aws].")
    return plan


def _tasks(
    plan: Plan,
    name: str,
    installation: Mapping[str, Any],
    services: Mapping[str, Any],
    values: Mapping[str, Any],
    holders: Mapping[str, str],
) -> Iterator[Task]:
    elsewhere = {domain: holder for domain, holder in holders.items() if holder != name}
    given = services["variables"] | values["variables"] | _urls(elsewhere, plan.namespace)
    variables = {key: str(value) for key, value in given.items()}
    variables |= {"DOMAINS": ",".join(installation["domains"]), "PORT": "8000", "GRPC_PORT": "50051"}
    secrets = (*services["secrets"]["names"], *(["GRPC_CALL_TOKEN"] if elsewhere else []))
    settings = check(variables, secrets, set(elsewhere))
    drains = _drains(settings)
    for role in (*installation["roles"], "migrate"):
        size = Size(**values["sizes"][role])
        processes = {"web": max(2, size.cpu // 1024), "worker": max(1, size.cpu // 1024)}.get(role, 1)
        own = {variable: str(processes) for kind, variable in PROCESSES.items() if kind == role}
        is_public = "web" in installation["roles"] and role in ("web", "grpc")
        connections = size.max * database.most(role, processes, settings)
        yield Task(name, role, size, variables | own, secrets, drains[role], connections, is_public)


def check(variables: Mapping[str, str], secrets: tuple[str, ...], remote: set[str]) -> Env:
    """The settings as tasks with these variables will have them. Raises ImproperlyConfigured as `load` says."""
    known = {name.upper() for name in Env.model_fields} | {f"{domain.upper()}_URL" for domain in remote}
    if unknown := sorted({*variables, *secrets} - known):
        raise ImproperlyConfigured(f"deploy/ecs names what the settings do not read: {', '.join(unknown)}")
    if exposed := sorted({name.upper() for name in Env.model_fields if env.is_secret(Env, name)} & {*variables}):
        raise ImproperlyConfigured(f"deploy/ecs holds values of secrets: {', '.join(exposed)}")
    if "REDIS_URL" not in secrets:
        raise ImproperlyConfigured("deploy/ecs must name REDIS_URL among the secrets: the image embeds no broker.")
    with _environment({**variables, **{name: STAND_INS.get(name, "stand-in") for name in secrets}}):
        return env.load(Env)


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    kept = dict(os.environ)
    os.environ.clear()
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(kept)


def _holders(installations: Mapping[str, Any]) -> dict[str, str]:
    holders: dict[str, str] = {}
    for name, installation in installations.items():
        for domain in installation["domains"]:
            if holders.setdefault(domain, name) != name:
                raise ImproperlyConfigured(f"The domain {domain!r} is held by both {holders[domain]} and {name}.")
    public = [name for name, installation in installations.items() if "web" in installation["roles"]]
    if len(public) != 1:
        raise ImproperlyConfigured(f"One installation has the role web; here: {', '.join(public) or 'none'}.")
    for name in sorted(set(holders.values())):
        if len(installations) > 1 and "grpc" not in installations[name]["roles"]:
            raise ImproperlyConfigured(f"The installation {name!r} needs the role grpc: others call its domains.")
    return holders


def _urls(elsewhere: Mapping[str, str], namespace: str) -> dict[str, str]:
    return {f"{domain.upper()}_URL": f"grpc://{holder}-grpc.{namespace}:50051" for domain, holder in elsewhere.items()}


def _drains(settings: Env) -> dict[str, int]:
    drains = {
        "web": settings.web_grace,
        "grpc": math.ceil(settings.grpc_grace + grpc_server.NOTICE + grpc_server.LAST_WAIT),
        "worker": settings.worker_grace,
        "beat": QUICK,
        "relay": QUICK,
        "migrate": QUICK,
    }
    for role, seconds in drains.items():
        if seconds + STOP_MARGIN > LONGEST_STOP:
            raise ImproperlyConfigured(f"{role} drains for {seconds} s; Fargate kills it after {LONGEST_STOP} s.")
    return drains
