"""Who may do what at which door: project/access.md is what the doors answer."""

from contextlib import ExitStack

import pytest
from django.conf import settings
from django.contrib import admin
from django.db import transaction
from django.urls import reverse

from apps.accounts.tests.factories import LimitedStaffFactory, StaffFactory, UserFactory
from framework import discovery
from framework.audit.models import Entry
from framework.grpc.auth import Authenticator
from framework.grpc.interceptors import Chain
from framework.grpc.service import add_services
from framework.grpc.tokens import parse_tokens
from framework.testing import access, doors
from framework.testing.grpc import connected
from project.schema import schema

TABLE = settings.BASE_DIR / "project" / "access.md"
NOT_BY_STAFF = ("Mutation.deleteAccount",)  # which the service refuses
pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(bool(settings.REMOTE_DOMAINS), reason="the table is of a process that holds all domains"),
]


@pytest.fixture
def callers():
    return access.cast(UserFactory(), UserFactory(), LimitedStaffFactory(), StaffFactory())


@pytest.fixture
def every_door(callers):
    """All doors, with requests for rows of `user`."""
    modules = discovery.modules("tests.access_matrix")
    arguments = {each.__name__.split(".")[-3]: each.arguments(callers["user"].user) for each in modules}
    names = []
    chain = Chain(Authenticator(parse_tokens(access.tokens(settings.DOMAINS))), default_deadline=30)
    with ExitStack() as stack:
        channel = stack.enter_context(connected(lambda server: names.extend(add_services(server)), chain))
        found = [*doors.graphql(schema.graphql_schema, arguments), *doors.grpc(channel, names, arguments)]
        yield [*found, *doors.http(), *doors.admin(admin.site)]


@pytest.mark.timeout(300)  # some 1,500 requests
def test_the_doors_answer_as_the_table_says(every_door, callers, request):
    text = access.table(every_door, callers)
    if request.config.getoption("--write-access"):
        TABLE.write_text(text)

    assert TABLE.read_text() == text, "if you meant it: ./run test project/tests/test_access.py --write-access"


def test_what_a_mutation_or_method_changes_leaves_a_trace(every_door, callers):
    traces = {}
    for door in every_door:
        if door.writes:
            before = transaction.savepoint()
            known = Entry.objects.count()
            caller = callers["user" if door.name in NOT_BY_STAFF else "superuser"]
            traces[door.name] = door.knock(caller), Entry.objects.count() > known
            transaction.savepoint_rollback(before)

    assert traces == dict.fromkeys(traces, ("OK", True)), (
        "see docs/testing.md: values for every write, and trail.record"
    )


def test_pages_of_the_admin_are_guarded_as_its_rights_say(client):
    names = [f"{kind._meta.app_label}_{kind._meta.model_name}_changelist" for kind in admin.site._registry]
    lists = [reverse("admin:index"), *(reverse(f"admin:{name}") for name in names)]
    statuses = {}
    for user in (None, UserFactory(), LimitedStaffFactory(), StaffFactory()):
        client.force_login(user) if user else client.logout()
        statuses[str(user)] = [client.get(url).status_code for url in lists]

    visitor, customer, staff, superuser = statuses.values()
    assert visitor == [302] * len(lists)
    assert customer == [403] * len(lists) or set(customer) <= {302, 403}
    assert staff == [200] + [403] * len(names)
    assert superuser == [200] * len(lists)
