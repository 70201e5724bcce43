"""`manage.py split DOMAIN`: what it takes to move a domain into a service of its own, read from the code."""

import re
import secrets
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from django.apps import apps
from django.conf import settings
from django.core.management import get_commands
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.module_loading import module_has_submodule

from framework import discovery
from framework.grpc.channel import DEFAULT_DEADLINE
from framework.grpc.contract import idempotent_methods
from framework.grpc.tokens import ASSERT_STAFF, ASSERT_UNCHECKED
from project.celery import app as celery

COMPOSE = settings.BASE_DIR / "docker-compose.yml"
MONOLITH_ROLES = ("web", "grpc", "worker", "beat", "relay", "migrate")
PORT = 50051


class Move(NamedTuple):
    """A domain, and what goes with it."""

    domain: str
    package: str
    stays: tuple[str, ...]  # the domains that the monolith keeps; accounts is always with both
    callers: tuple[str, ...]
    callees: tuple[str, ...]  # of those that stay
    needs_users: bool
    tables: Mapping[str, int]  # and their rows
    tasks: tuple[str, ...]
    schedules: tuple[str, ...]
    commands: tuple[str, ...]
    fields: tuple[str, ...]
    once_only: tuple[str, ...]  # methods that are not tried again
    has_admin: bool

    @property
    def url_variable(self) -> str:
        return f"{self.domain.upper()}_URL"

    @property
    def token_variable(self) -> str:
        return f"{self.domain.upper()}_TOKEN"

    @property
    def roles(self) -> list[str]:
        background = ["worker", "beat", "relay"] if self.tasks else []
        return ["migrate", "grpc", *(["web"] if self.has_admin else []), *background]


class Command(BaseCommand):
    help = "Prints what it takes to move a domain into a service of its own: see docs/splitting.md."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("domain", help="a domain of this process, by name")
        parser.add_argument("--compose", metavar="FILE", help="also write what docker compose needs to run both")

    def handle(self, *args: Any, **options: Any) -> None:
        move = plan(options["domain"])
        for title, lines in checklist(move).items():
            self.stdout.write(self.style.MIGRATE_HEADING(f"\n{title}"))
            for line in lines:
                self.stdout.write(f"  {line}")
        if options["compose"]:
            path = Path(options["compose"])
            path.write_text(compose(move))
            self.stdout.write(f"\nWritten: {path}. Put into .env, then start both:\n")
            for variable in (f"{move.domain.upper()}_POSTGRES_PASSWORD", move.token_variable):
                self.stdout.write(f"  {variable}={secrets.token_hex(24)}")
            self.stdout.write(f"  docker compose -f {COMPOSE.name} -f {path} up")


def plan(domain: str) -> Move:
    """Raises CommandError for a domain that is not here or cannot move."""
    package = settings.DOMAINS.get(domain)
    if package is None or domain == discovery.ALWAYS:
        movable = ", ".join(sorted(settings.DOMAINS.keys() - {discovery.ALWAYS}))
        raise CommandError(f"{domain!r} is not one of the domains here that can move: {movable}.")
    missing = [name for name in ("public", "client", "rpc") if not module_has_submodule(import_module(package), name)]
    if missing:
        raise CommandError(f"{domain} cannot move without {', '.join(f'{name}.py' for name in missing)}.")
    calls = {name: discovery.calls(path) for name, path in settings.DOMAINS.items()}
    contract = import_module(f"protos.{domain}.v1.{domain}_pb2").DESCRIPTOR
    repeatable = {name for _, name in idempotent_methods(contract)}
    methods = [method.name for service in contract.services_by_name.values() for method in service.methods]
    return Move(
        domain=domain,
        package=package,
        stays=tuple(name for name in settings.DOMAINS if name not in (domain, discovery.ALWAYS)),
        callers=tuple(name for name, callees in calls.items() if domain in callees),
        callees=tuple(name for name in calls[domain] if name != discovery.ALWAYS),
        needs_users=discovery.ALWAYS in calls[domain],
        tables=_tables(domain),
        tasks=_tasks(package),
        schedules=tuple(getattr(_module(package, "tasks"), "SCHEDULE", ())),
        commands=tuple(sorted(name for name, owner in get_commands().items() if owner == package)),
        fields=tuple(_fields(package)),
        once_only=tuple(name for name in methods if name not in repeatable),
        has_admin=_module(package, "admin") is not None,
    )


def checklist(move: Move) -> dict[str, list[str]]:
    """What to know and do, by title."""
    return {
        f"What moves with {move.domain}": list(_what_moves(move)),
        "Variables of the new service": _assignments(service_variables(move)),
        "Variables of the monolith": _assignments(monolith_variables(move)),
        "In this order": [f"{number}. {line}" for number, line in enumerate(_steps(move), start=1)],
        "What differs from then on": [f"- {line}" for line in _differences(move)],
    }


def service_variables(move: Move) -> dict[str, str]:
    """What the service is told, beside what all installations are told."""
    urls = {f"{callee.upper()}_URL": f"grpc://MONOLITH:{PORT}" for callee in move.callees}
    return {
        "DOMAINS": move.domain,
        "DATABASE_URL": "postgres://...  # a database of its own",
        "REDIS_URL": "redis://...  # its own, or another number: the queues have one name",
        "SECRET_KEY": "...  # the monolith's, which signs the cursors that the service has to read",
        "SHARD_ID": f"{settings.SHARD_ID + 1}  # any other than the monolith's, so that ids tell where they were made",
        "GRPC_TOKENS": f"monolith:${move.token_variable}:{scopes(move.domain, users_elsewhere=True)}",
        **urls,
        **({"GRPC_CALL_TOKEN": f"${move.token_variable}"} if urls else {}),
    }


def monolith_variables(move: Move) -> dict[str, str]:
    """What changes for the monolith."""
    return {
        "DOMAINS": ",".join(move.stays) or discovery.ALWAYS,
        move.url_variable: f"grpc://{move.domain.upper()}:{PORT}  # grpcs:// with TLS",
        "GRPC_CALL_TOKEN": f"${move.token_variable}",
        **({"GRPC_TOKENS": f"...,{_own_token(move)}"} if move.callees else {}),
    }


def scopes(*domains: str, users_elsewhere: bool = False) -> str:
    """What the other side's token may do: call the domains, for users whom the callee has or takes on trust."""
    return "+".join((*domains, ASSERT_STAFF, *((ASSERT_UNCHECKED,) if users_elsewhere else ())))


def _own_token(move: Move) -> str:
    return f"{move.domain}:${move.token_variable}:{scopes(*move.callees)}"


def _what_moves(move: Move) -> Iterator[str]:
    for table, rows in move.tables.items():
        yield f"table {table}: {rows} rows"
    for kind, names in (
        ("task", move.tasks),
        ("schedule", move.schedules),
        ("command", move.commands),
    ):
        yield from (f"{kind} {name}" for name in names)
    if move.has_admin:
        yield "its pages of the admin, which are then at the service's own /admin/, with the service's own staff"
    if move.fields:
        yield f"not its GraphQL fields ({', '.join(move.fields)}): the monolith answers them, and asks the service"


def _steps(move: Move) -> Iterator[str]:
    queued = apps.get_model("queue", "QueuedTask")._base_manager.filter(task__in=move.tasks).count()
    users = ["accounts_user"] if move.needs_users else []
    tables = " ".join(f"-t {table}" for table in [*move.tables, *users])
    yield f"Install the service with its variables, in the roles {', '.join(move.roles)}; `migrate` makes its tables."
    yield "Stop the monolith's web, grpc and beat: nothing may write the tables any more. The downtime begins."
    if move.tasks:
        yield f"Let worker and relay do what is queued of its tasks ({queued} now), then stop them, too."
    yield (
        f"Copy: pg_dump --data-only --no-owner {tables} $OLD_DATABASE_URL"
        " | psql --single-transaction --set ON_ERROR_STOP=1 $NEW_DATABASE_URL"
    )
    yield "Compare the rows with the numbers above. No sequence has to be carried over: ids grow with the time."
    yield "Give the monolith its variables and start it; `migrate` there also switches off the schedules that moved."
    yield "Later, when nothing is missing, drop the tables from the monolith's database."


def _differences(move: Move) -> Iterator[str]:
    for caller in move.callers:
        yield f"{caller} calls it over the network: milliseconds a call, and each call may fail or come too late."
    yield (
        f"It may be down while the rest is up. A caller gets Unavailable or DeadlineExceeded, within"
        f" {DEFAULT_DEADLINE:.0f} s or its own deadline; its GraphQL fields answer errors, and those that are"
        " nullable are null."
    )
    yield "No transaction spans both. It did not before either: its writes refuse to stand inside of a caller's."
    if move.once_only:
        yield (
            f"{', '.join(move.once_only)}: not tried again when an answer is lost, as it may have had its effect."
            " All other methods are."
        )
    for callee in move.callees:
        yield f"It calls {callee} at the monolith, whose gRPC server it needs; each is down for the other then."
    if move.needs_users:
        yield (
            "It reads users from its own accounts_user. Keep that current (a publication and subscription of the one"
            " table will do): who is missing there gets no mail from it."
        )
    yield "Lists have the cursors that the monolith made: both sides keep one SECRET_KEY, and change it together."
    yield "Its tables are backed up at another moment than the monolith's: after a restore they may disagree."


def compose(move: Move) -> str:
    """What stands beside docker-compose.yml to run the domain as a service of its own."""
    name, upper = move.domain, move.domain.upper()
    token = f"${{{move.token_variable}:?}}"
    calls_back = {f"{callee.upper()}_URL": f"grpc://grpc:{PORT}" for callee in move.callees}
    service = {
        "DOMAINS": name,
        "DATABASE_URL": f"postgres://backend:${{{upper}_POSTGRES_PASSWORD:?}}@{name}-postgres:5432/backend",
        "REDIS_URL": "redis://redis:6379/1",
        "SHARD_ID": str(settings.SHARD_ID + 1),
        "GRPC_TOKENS": f"monolith:{token}:{scopes(name, users_elsewhere=True)}",
        **calls_back,
        **({"GRPC_CALL_TOKEN": token} if calls_back else {}),
    }
    monolith = {
        "DOMAINS": ",".join(move.stays) or discovery.ALWAYS,
        move.url_variable: f"grpc://{name}-grpc:{PORT}",
        "GRPC_CALL_TOKEN": token,
        **({"GRPC_TOKENS": f"{name}:{token}:{scopes(*move.callees)},${{GRPC_TOKENS:-}}"} if calls_back else {}),
    }
    return _TEMPLATE.format(
        name=name,
        upper=upper,
        token=move.token_variable,
        monolith=_mapping(monolith),
        service=_mapping(service),
        overridden="\n".join(f"  {role}: *monolith" for role in MONOLITH_ROLES),
        roles="\n\n".join(_role(move, role) for role in move.roles[1:]),
        postgres=_image("postgres"),
        postgres_folder=_folder("postgres"),
    )


_TEMPLATE = """\
# {name} in a service of its own, beside the monolith: written by `manage.py split {name}`, to be used with it.
#   docker compose -f docker-compose.yml -f THIS_FILE up
# Both have one SECRET_KEY, from the volume of secrets; {upper}_POSTGRES_PASSWORD and {token} come from .env.

x-monolith: &monolith
  environment:
{monolith}

x-{name}: &{name}
  image: ${{IMAGE:-backend}}
  restart: unless-stopped
  read_only: true
  tmpfs: [/tmp]
  volumes: ["secrets:/run/secrets:ro"]
  environment:
    PROJECT_NAME:
    EMAIL_URL:
    DEFAULT_FROM_EMAIL:
    LOG_LEVEL:
    SECRET_KEY:
    ALLOWED_HOSTS: ${{ALLOWED_HOSTS:-localhost,127.0.0.1}}
    SECURE_COOKIES: ${{SECURE_COOKIES:-0}}
{service}
  depends_on:
    {name}-migrate: {{condition: service_completed_successfully}}
    redis: {{condition: service_healthy}}

services:
{overridden}

{roles}

  {name}-migrate:
    <<: *{name}
    command: [migrate]
    restart: on-failure:5
    healthcheck: {{disable: true}}
    depends_on:
      {name}-postgres: {{condition: service_healthy}}
      secrets: {{condition: service_completed_successfully}}

  {name}-postgres:
    image: {postgres}
    restart: unless-stopped
    environment:
      POSTGRES_USER: backend
      POSTGRES_DB: backend
      POSTGRES_PASSWORD: ${{{upper}_POSTGRES_PASSWORD:?}}
    volumes: ["{name}-postgres:{postgres_folder}"]
    healthcheck:
      test: [CMD, pg_isready, --host, 127.0.0.1, --username, backend]
      interval: 2s
      timeout: 3s
      retries: 30
    stop_grace_period: 60s

volumes:
  {name}-postgres:
"""


def _tables(domain: str) -> dict[str, int]:
    models = apps.get_app_config(domain).get_models(include_auto_created=True)
    return {model._meta.db_table: model._base_manager.count() for model in models}


def _tasks(package: str) -> tuple[str, ...]:
    celery.loader.import_default_modules()
    return tuple(sorted(name for name, task in celery.tasks.items() if task.__module__.startswith(f"{package}.")))


def _fields(package: str) -> Iterator[str]:
    module = _module(package, "schema")
    for root in ("Query", "Mutation"):
        if hasattr(module, root):
            yield from (_camel(name) for name in getattr(module, root)._meta.fields)


def _camel(name: str) -> str:
    return re.sub(r"_(\w)", lambda match: match[1].upper(), name)


def _module(package: str, name: str) -> Any:
    return import_module(f"{package}.{name}") if module_has_submodule(import_module(package), name) else None


def _assignments(variables: Mapping[str, str]) -> list[str]:
    return [f"{name}={value}" for name, value in variables.items()]


def _mapping(variables: Mapping[str, str]) -> str:
    return "\n".join(f'    {name}: "{value}"' for name, value in variables.items())


def _role(move: Move, role: str) -> str:
    lines = [f"  {move.domain}-{role}:", f"    <<: *{move.domain}", f"    command: [{role}]"]
    if period := re.search(rf"command: \[{role}\]\n    (stop_grace_period: \S+)", COMPOSE.read_text()):
        lines.append(f"    {period[1]}")
    if role == "web":
        lines.append(f'    ports: ["${{{move.domain.upper()}_HTTP_PORT:-8081}}:8000"]')
    return "\n".join(lines)


def _image(name: str) -> str:
    found = re.search(rf"image: ({name}:\S+)", COMPOSE.read_text())
    return found[1] if found else name


def _folder(name: str) -> str:
    """Where the image keeps its data."""
    found = re.search(rf'"{name}:(/[^"]+)"', COMPOSE.read_text())
    return found[1] if found else "/var/lib/postgresql/data"
