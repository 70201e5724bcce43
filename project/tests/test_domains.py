"""DOMAINS decides which domains a process holds."""

import os
import subprocess
import sys

import pytest
from django.conf import settings

PLUGGED = {
    "__init__.py": "",
    "apps.py": "from django.apps import AppConfig\n\n\nclass TinyConfig(AppConfig):\n    name = 'plugged.tiny'\n",
    "schema.py": """
import graphene

from framework.actor import allow, anyone


class Query(graphene.ObjectType):
    tiny = graphene.String(required=True)

    @allow(anyone)
    def resolve_tiny(root, info):
        return "here"
""",
}
ASK = """
import django; django.setup()
from project.schema import schema
print(sorted(schema.graphql_schema.query_type.fields))
from framework.management.commands.schedules import declared
print(sorted(declared()))
from django.contrib import admin
ours = [model for model in admin.site._registry if model.__module__.startswith(("apps.", "framework."))]
print(sorted(model._meta.label for model in ours))
import grpc
from concurrent.futures import ThreadPoolExecutor
from framework.grpc import service as rpc
print(rpc.register(grpc.server(ThreadPoolExecutor(1))))
"""


def python(code: str, **environ: str) -> subprocess.CompletedProcess[str]:
    environ = os.environ | {"DEBUG": "1", "DJANGO_SETTINGS_MODULE": "project.settings"} | environ
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=settings.BASE_DIR, env=environ, capture_output=True, text=True, check=False)


def test_a_domain_that_is_not_named_has_no_fields_schedules_admin_and_services():
    answer = python(ASK, DOMAINS="accounts")

    assert answer.stdout.splitlines() == [
        "['csrfToken', 'dataRequest', 'me']",
        "['clean-up-accounts', 'heartbeat', 'thin-audit']",
        "['accounts.User', 'audit.Entry', 'queue.DeclaredSchedule', 'queue.Heartbeat', 'queue.QueuedTask']",
        "()",
    ], answer.stderr


def test_a_domain_may_be_an_installed_package(tmp_path):
    folder = tmp_path / "plugged" / "tiny"
    folder.mkdir(parents=True)
    for name, text in PLUGGED.items():
        (folder / name).write_text(text)
    answer = python(ASK, DOMAINS="plugged.tiny", PYTHONPATH=str(tmp_path))

    assert answer.stdout.splitlines()[0] == "['csrfToken', 'dataRequest', 'me', 'tiny']", answer.stderr


@pytest.mark.parametrize(
    ("domains", "message"),
    [
        ("shpo", "DOMAINS names 'shpo', but there is no domain apps.shpo. In apps/ there are: accounts"),
        ("acme.billing", "DOMAINS names 'acme.billing', but there is no domain acme.billing."),
    ],
)
def test_an_unknown_domain_refuses_to_start_with_one_message(domains, message):
    answer = subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=settings.BASE_DIR,
        env=os.environ | {"DEBUG": "1", "DOMAINS": domains},
        capture_output=True,
        text=True,
        check=False,
    )

    assert answer.returncode == 1
    assert answer.stderr.startswith(f"manage.py: {message}")
    assert "Traceback" not in answer.stderr
