import os
import subprocess
import sys
from types import ModuleType

import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from framework import discovery

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
own = ("apps.", "framework.")
print(sorted(model._meta.label for model in admin.site._registry if model.__module__.startswith(own)))
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
        "['csrfToken', 'me']",
        "['heartbeat']",
        "['accounts.User', 'queue.DeclaredSchedule', 'queue.Heartbeat', 'queue.QueuedTask']",
        "()",
    ], answer.stderr


def test_a_domain_may_be_an_installed_package(tmp_path):
    folder = tmp_path / "plugged" / "tiny"
    folder.mkdir(parents=True)
    for name, text in PLUGGED.items():
        (folder / name).write_text(text)
    answer = python(ASK, DOMAINS="plugged.tiny", PYTHONPATH=str(tmp_path))

    assert answer.stdout.splitlines()[0] == "['csrfToken', 'me', 'tiny']", answer.stderr


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


@pytest.fixture
def caller(tmp_path, monkeypatch):
    """A domain that calls accounts."""
    monkeypatch.syspath_prepend(tmp_path)
    folder = tmp_path / "acme_billing"
    (folder / "tests").mkdir(parents=True)
    (folder / "__init__.py").touch()
    (folder / "services.py").write_text(
        "from apps.accounts import public as accounts\nfrom apps.billing import tasks\n"
    )
    (folder / "tests" / "factories.py").write_text("from apps.catalog import public as catalog\n")
    return {"billing": "acme_billing"}


def test_a_domain_whose_callee_is_nowhere_refuses_to_start(caller):
    with pytest.raises(ImproperlyConfigured) as refused:
        discovery.check_calls(caller, {})

    assert str(refused.value) == "The domain 'billing' calls 'accounts': add it to DOMAINS, or set ACCOUNTS_URL."


def test_a_callee_may_be_here_or_elsewhere(caller):
    discovery.check_calls(caller | {"accounts": "apps.accounts"}, {})
    discovery.check_calls(caller, {"accounts": "grpc://accounts:50051"})


def test_two_domains_of_one_name_are_refused(monkeypatch):
    monkeypatch.setattr(discovery, "_is_domain", lambda _: True)
    with pytest.raises(ImproperlyConfigured, match=r"two domains .accounts.: apps.accounts and acme.accounts"):
        discovery.packages(["acme.accounts"])


def test_a_name_that_two_modules_declare_is_refused_and_both_are_named():
    one, two = ModuleType("apps.one.schema"), ModuleType("apps.two.schema")

    with pytest.raises(ImproperlyConfigured) as refused:
        discovery.unique("GraphQL Query field", [("product", one), ("user", one), ("product", two)])
    assert str(refused.value) == (
        "The GraphQL Query field 'product' is declared by both apps.one.schema and apps.two.schema."
    )


def test_a_module_that_is_absent_is_passed_over_and_a_broken_one_is_not(settings, tmp_path, monkeypatch):
    folder = tmp_path / "brokendomain"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "schema.py").write_text("import nothing_of_this_name")
    monkeypatch.syspath_prepend(tmp_path)
    settings.DOMAINS = {"brokendomain": "brokendomain"}

    assert list(discovery.modules("rpc")) == []
    with pytest.raises(ModuleNotFoundError, match="nothing_of_this_name"):
        list(discovery.modules("schema"))
