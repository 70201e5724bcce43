"""Moving a domain out: the command that says how. The example's tests do it: tools/tests/test_split_session.py."""

import io

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import OperationalError

from framework import discovery, env
from project.env import Env
from tools.management.commands import split

MOVABLE = [module.__name__.split(".")[-2] for module in discovery.modules("client")]


def printed(*args):
    out = io.StringIO()
    call_command("split", *args, stdout=out, no_color=True)
    return out.getvalue()


@pytest.mark.django_db
@pytest.mark.parametrize("domain", MOVABLE)
def test_the_checklist_names_all_that_moves(domain):
    move = split.plan(domain)
    text = printed(domain)

    assert move.tables
    assert all(f"table {table}: {rows} rows" in text for table, rows in move.tables.items())
    assert all(name.startswith(f"{domain}.") and f"task {name}" in text for name in move.tasks)
    assert all(f"schedule {name}" in text for name in move.schedules)
    assert all(f"-t {table}" in text for table in move.tables)


@pytest.mark.django_db
@pytest.mark.parametrize("domain", MOVABLE)
def test_the_variables_are_those_that_both_sides_read(domain):
    move = split.plan(domain)
    known = {name.upper() for name in Env.model_fields} | {f"{name.upper()}_URL" for name in MOVABLE}

    for variables, here in (
        (split.service_variables(move), (domain,)),
        (split.monolith_variables(move), move.stays),
    ):
        assert variables.keys() <= known
        domains = discovery.packages(variables["DOMAINS"].split(","))
        assert domains.keys() == {"accounts", *here}
        discovery.check_calls(domains, env.domain_urls(variables, settings.BASE_DIR / "apps", tuple(domains)))


@pytest.mark.parametrize("domain", MOVABLE)
def test_before_migrate_the_command_says_what_to_run(domain, monkeypatch):
    def tables(domain):
        raise OperationalError("no such table: one_thing")

    monkeypatch.setattr(split, "_tables", tables)

    with pytest.raises(CommandError, match=r"\(no such table: one_thing\): run `manage\.py migrate` first"):
        printed(domain)


@pytest.mark.parametrize("domain", ["accounts", "nothing"])
def test_what_cannot_move_is_refused_with_what_can(domain):
    with pytest.raises(CommandError, match=f"'{domain}' is not one of the domains here that can move: "):
        printed(domain)


def test_a_domain_without_a_client_cannot_move(settings):
    settings.DOMAINS = {"accounts": "apps.accounts", "queue": "framework.queue"}

    with pytest.raises(CommandError, match=r"queue cannot move without public\.py, client\.py, rpc\.py\."):
        printed("queue")
