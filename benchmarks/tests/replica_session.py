"""Visitors and staff while a replica lags, then dies: `python -m benchmarks.tests.replica_session PID`.

Prints what each of them saw, as JSON; PID is the replica's.
"""

import json
import os
import signal
import sys
from typing import Any

import django

django.setup()

from django.contrib.auth import get_user_model  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connection, connections  # noqa: E402
from django.test import Client  # noqa: E402

from benchmarks.faults.processes import listens, wait_for  # noqa: E402

CREATE = "mutation ($sku: String!) { createProduct(input: {sku: $sku, name: $sku, price: 1}) { product { sku } } }"


def ask(client: Client, query: str, **variables: Any) -> Any:
    body = {"query": query, "variables": variables}
    return client.post("/graphql", body, content_type="application/json").json()["data"]


def seen(client: Client) -> list[str]:
    edges = ask(client, "{ products(first: 9) { edges { node { sku } } } }")["products"]["edges"]
    return [edge["node"]["sku"] for edge in edges]


def on_replica(statement: str) -> None:
    with connections["replica"].cursor() as cursor:
        cursor.execute(statement)


def catch_up() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_wal_lsn()::text")
        (place,) = cursor.fetchone()
    behind = True
    while behind:
        with connections["replica"].cursor() as cursor:
            cursor.execute("SELECT pg_last_wal_replay_lsn() < %s::pg_lsn", [place])
            (behind,) = cursor.fetchone()


def main() -> dict[str, list[str]]:
    call_command("migrate", verbosity=0)
    visitor, staff = Client(headers={"host": "localhost"}), Client(headers={"host": "localhost"})
    staff.force_login(get_user_model().objects.create_superuser("staff@example.com", "x"))
    found = {}
    ask(staff, CREATE, sku="A")
    catch_up()
    found["visitor, caught up"] = seen(visitor)
    on_replica("SELECT pg_wal_replay_pause()")
    ask(staff, CREATE, sku="B")
    found["staff, who wrote"] = seen(staff)
    found["visitor, replica behind"] = seen(visitor)
    os.kill(int(sys.argv[1]), signal.SIGQUIT)
    wait_for("the replica is gone", lambda: not listens(connections["replica"].settings_dict["PORT"]), 20)
    found["visitor, replica down"] = seen(visitor)
    return found


if __name__ == "__main__":
    print(json.dumps(main()))
