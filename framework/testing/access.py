"""The access matrix: what each door answers to each kind of caller, as a table that people read.

callers = access.cast(user, other, staff, superuser)
text = access.table([*doors.graphql(schema, arguments), *doors.admin(site)], callers)
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import transaction

from framework.testing.fixtures import GraphQL

TOKENS = {name: f"matrix-token-{name}" for name in ("scoped", "unscoped", "users")}
WORDS = {"UNAUTHENTICATED": "log in", "FORBIDDEN": "no", "PERMISSION_DENIED": "no", "NOT_FOUND": "hidden"}
INTRO = """# Who may do what

Made by `./run test project/tests/test_access.py --write-access`, which knocks at each door as each caller; a test fails
when the code and this page differ. Rows that a request names belong to `user`. `yes`: let in; `no`: refused; `log in`:
refused until logged in; `hidden`: answered as if it did not exist; `-`: the door knows no such callers. Staff have no
rights; the column after it names the rights each of which is enough.
"""


class Caller(NamedTuple):
    app: GraphQL  # a single-page app, logged in as the user
    user: Any = None
    token: str = ""  # of a service that calls for itself


class Door(NamedTuple):
    kind: str  # GraphQL, gRPC, HTTP or Admin
    name: str
    label: str  # the app whose rights may open it
    knock: Callable[[Caller], str | None]  # the code of the answer; OK when let in; None for callers it cannot have
    writes: bool = False


def cast(user: Any, other: Any, staff: Any, superuser: Any) -> dict[str, Caller]:
    """The callers by their columns."""
    people = {"user": user, "other user": other, "staff": staff, "superuser": superuser}
    services = {"service": TOKENS["scoped"], "service out of scope": TOKENS["unscoped"]}
    return (
        {"nobody": Caller(GraphQL())}
        | {name: Caller(GraphQL().login(who), who) for name, who in people.items()}
        | {name: Caller(GraphQL(), token=token) for name, token in services.items()}
    )


def tokens(domains: Iterable[str]) -> str:
    """GRPC_TOKENS with a service in scope, one out of it, and one that acts for users."""
    scopes = "+".join(domains)
    return (
        f"inside:{TOKENS['scoped']}:{scopes},outside:{TOKENS['unscoped']}:elsewhere,"
        f"door:{TOKENS['users']}:*+assert.staff+assert.unchecked"
    )


def table(doors: Iterable[Door], callers: Mapping[str, Caller]) -> str:
    """The matrix as Markdown, a section for each kind of door."""
    columns = [*callers]
    columns.insert(columns.index("staff") + 1, "staff with one right")
    lines, kind = [INTRO], ""
    for door in doors:
        if door.kind != kind:
            kind = door.kind
            lines.append(f"\n## {kind}\n\n| | {' | '.join(columns)} |\n|---|{'---|' * len(columns)}\n")
        found = _answers(door, callers)
        lines.append(f"| {door.name} | {' | '.join(found[name] for name in columns)} |\n")
    return "".join(lines)


def knock(door: Door, caller: Caller) -> str | None:
    """The code of the door's answer; whatever the call has changed is taken back."""
    before = transaction.savepoint()
    try:
        return door.knock(caller)
    finally:
        transaction.savepoint_rollback(before)


def _answers(door: Door, callers: Mapping[str, Caller]) -> dict[str, str]:
    found = {name: _word(knock(door, caller)) for name, caller in callers.items()}
    enough = found["staff"] if found["staff"] == found["superuser"] else _enough(door, callers["staff"])
    return found | {"staff with one right": enough}


def _word(code: str | None) -> str:
    return "-" if code is None else WORDS.get(code, "yes")


def _enough(door: Door, staff: Caller) -> str:
    """The rights each of which opens the door to staff."""
    found = []
    for right in Permission.objects.filter(content_type__app_label=door.label):
        staff.user.user_permissions.set([right])
        if _word(knock(door, staff._replace(user=_read_again(staff.user)))) == "yes":
            found.append(f"`{door.label}.{right.codename}`")
    staff.user.user_permissions.clear()
    return ", ".join(sorted(found)) or "no"


def _read_again(user: Any) -> Any:
    """The user without the rights that the object remembers."""
    return get_user_model()._default_manager.get(pk=user.pk)
