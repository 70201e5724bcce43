"""`manage.py split DOMAIN`: what it takes to move a domain into a service of its own, read from the code."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from django.apps import apps
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from framework import discovery
from framework.grpc.channel import DEFAULT_DEADLINE
from framework.grpc.contract import idempotent_methods
from framework.grpc.tokens import ASSERT_STAFF, ASSERT_UNCHECKED
from tools import domain as read

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

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            titles = checklist(plan(options["domain"]))
        except DatabaseError as error:
            message = str(error).strip()
            raise CommandError(f"The tables cannot be read ({message}): run `manage.py migrate` first.") from None
        for title, lines in titles.items():
            self.stdout.write(self.style.MIGRATE_HEADING(f"\n{title}"))
            for line in lines:
                self.stdout.write(f"  {line}")


def plan(domain: str) -> Move:
    """Raises CommandError for a domain that is not here or cannot move."""
    package = settings.DOMAINS.get(domain)
    if package is None or domain == discovery.ALWAYS:
        movable = ", ".join(sorted(settings.DOMAINS.keys() - {discovery.ALWAYS}))
        raise CommandError(f"{domain!r} is not one of the domains here that can move: {movable}.")
    missing = [name for name in ("public", "client", "rpc") if read.module(package, name) is None]
    if missing:
        raise CommandError(f"{domain} cannot move without {', '.join(f'{name}.py' for name in missing)}.")
    calls = discovery.calls(package)
    repeatable = {name for _, name in idempotent_methods(read.contract(domain, package))}
    return Move(
        domain=domain,
        package=package,
        stays=tuple(name for name in settings.DOMAINS if name not in (domain, discovery.ALWAYS)),
        callers=read.callers(domain, settings.DOMAINS),
        callees=tuple(name for name in calls if name != discovery.ALWAYS),
        needs_users=discovery.ALWAYS in calls,
        tables=_tables(domain),
        tasks=read.tasks(package),
        schedules=tuple(read.schedules(package)),
        commands=read.commands(package),
        fields=tuple(read.graphql_fields(package)),
        once_only=tuple(name for name in read.methods(domain, package) if name not in repeatable),
        has_admin=read.module(package, "admin") is not None,
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
    yield "Its tables are backed up at another moment than the monolith's: after a restore they may disagree."


def _tables(domain: str) -> dict[str, int]:
    models = apps.get_app_config(domain).get_models(include_auto_created=True)
    return {model._meta.db_table: model._base_manager.count() for model in models}


def _assignments(variables: Mapping[str, str]) -> list[str]:
    return [f"{name}={value}" for name, value in variables.items()]
