"""Which database is asked. Here the replica is a second connection to the same one; a real one streams elsewhere."""

import pytest
from django.db import OperationalError, connection, connections, transaction

from apps.accounts.tests.factories import StaffFactory
from apps.catalog import repository
from apps.catalog.rpc import register
from apps.catalog.tests.factories import ProductFactory
from framework import context
from framework.data import replica
from framework.errors import DeadlineExceeded
from framework.grpc.channel import Channel
from framework.grpc.tests import echo
from framework.grpc.tests.test_deadlines import SLOW
from framework.testing.grpc import connected, serving_in_transaction
from protos.catalog.v1 import catalog_pb2 as pb
from protos.catalog.v1.catalog_pb2_grpc import CatalogServiceStub

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", replica.ALIAS])

PRODUCTS = "{ products(first: 5) { edges { node { sku } } } }"
CREATE = 'mutation { createProduct(input: {sku: "NEW", name: "New", price: "1.00"}) { product { sku } } }'


@pytest.fixture(scope="module", autouse=True)
def _replica(django_db_setup):
    connections.settings[replica.ALIAS] = connection.settings_dict | {
        "TEST": connection.settings_dict["TEST"] | {"MIRROR": "default"}
    }
    yield
    connections[replica.ALIAS].close()
    del connections.settings[replica.ALIAS], connections[replica.ALIAS]


@pytest.fixture(autouse=True)
def asked(settings, monkeypatch):
    """The statements that the replica was asked."""
    settings.DATABASE_ROUTERS = ["framework.data.replica.Router"]
    monkeypatch.setattr(replica, "_rests_until", 0.0)
    statements = []

    def note(execute, sql, params, many, context):
        statements.append(sql)
        return execute(sql, params, many, context)

    with connections[replica.ALIAS].execute_wrapper(note):
        yield statements


@pytest.fixture
def unit():
    """A unit of work that began as one that changes nothing."""
    context.begin("test")
    context.current().read_only = True
    yield context.current()
    context.begin("test")


@pytest.fixture
def down(monkeypatch):
    """Have the replica refuse connections."""

    def refuse(*args):
        tries.append(args)
        raise OperationalError("connection refused")

    tries = []
    connections[replica.ALIAS].close()
    monkeypatch.setattr(connections[replica.ALIAS], "ensure_connection", refuse)
    return tries


def test_the_replica_answers_what_is_marked_and_nothing_else(unit, asked):
    product = ProductFactory()
    unit.wrote = False

    assert [found.id for found in repository.list_products().items] == [product.id]
    assert repository.count_products(search="SKU") == 1
    assert [found.id for chunk in repository.iterate_products() for found in chunk] == [product.id]
    assert len(asked) == 4
    assert repository.get_product(product.id).id == product.id
    assert len(asked) == 4


def test_what_was_written_in_the_unit_is_read_from_the_primary(unit, asked):
    repository.list_products()
    assert len(asked) == 1
    ProductFactory()
    repository.list_products()

    assert len(asked) == 1


def test_inside_a_transaction_the_primary_answers(unit, asked):
    with transaction.atomic():
        repository.list_products()

    assert asked == []
    unit.wrote = False  # the test's own transaction; its end is a statement, too
    repository.list_products()
    assert len(asked) == 1


def test_tasks_commands_and_the_shell_ask_the_primary(asked):
    repository.list_products()
    context.begin("test")
    repository.list_products()

    assert asked == []


def test_a_replica_that_is_down_is_left_alone_for_a_while(unit, down, monkeypatch, caplog):
    for _ in range(3):
        assert repository.list_products().items == []
    assert len(down) == 1
    assert caplog.text.count("the replica does not answer") == 1
    monkeypatch.setattr(replica.time, "monotonic", lambda: replica._rests_until)
    monkeypatch.setattr(replica, "REST", 0)
    repository.list_products()

    assert len(down) == 2


def test_a_replica_that_is_back_is_asked_again(unit, asked, monkeypatch):
    monkeypatch.setattr(replica, "_rests_until", 1.0)
    repository.list_products()

    assert len(asked) == 1
    assert replica._rests_until == 0.0


def test_an_error_of_the_read_itself_is_no_fault_of_the_replica(unit):
    with pytest.raises(ZeroDivisionError):
        replica.reads_replica(lambda: 1 / 0)()

    assert replica._rests_until == 0.0


def test_a_query_on_the_replica_ends_with_the_deadline_and_is_not_asked_again(unit, asked):
    def read():
        with connections[replica.ALIAS].cursor() as cursor:
            cursor.execute(SLOW[connection.vendor])

    with pytest.raises(DeadlineExceeded), context.within(0.2):
        replica.reads_replica(read)()

    assert len(asked) == 1
    assert replica._rests_until == 0.0


def test_a_visitors_query_is_the_replicas_and_a_mutation_is_not(graphql, asked):
    graphql().data(PRODUCTS)
    assert len(asked) == 1
    graphql().login(StaffFactory()).data(CREATE)

    assert len(asked) == 1


def test_a_browser_that_wrote_reads_what_it_wrote(graphql, asked):
    page = graphql().login(StaffFactory())
    assert replica.COOKIE not in page.client.cookies
    page.data(CREATE)
    cookie = page.client.cookies[replica.COOKIE]
    assert (cookie["max-age"], cookie["httponly"], cookie["samesite"]) == (5, True, "Lax")
    page.data(PRODUCTS)

    assert asked == []
    graphql().data(PRODUCTS)
    assert len(asked) == 1


def test_without_a_replica_no_cookie_is_set(graphql, monkeypatch):
    monkeypatch.delitem(connections.settings, replica.ALIAS)
    page = graphql().login(StaffFactory())
    page.data(CREATE)
    monkeypatch.setitem(connections.settings, replica.ALIAS, connection.settings_dict)

    assert replica.COOKIE not in page.client.cookies


def test_a_call_that_changes_nothing_is_the_replicas(monkeypatch):
    answered = []  # in the server's thread, which has a connection of its own

    def answer(read, *args, **kwargs):
        answered.append(read.__name__)
        return read(*args, **kwargs)

    monkeypatch.setattr(replica, "_ask_replica", answer)
    with connected(register, echo.chain()) as channel:
        catalog = CatalogServiceStub(channel)
        catalog.ListProducts(pb.ListProductsRequest(), metadata=echo.bearer())
        catalog.ListProducts(pb.ListProductsRequest(), metadata=(*echo.bearer(), ("x-fresh", "1")))

    assert answered == ["list_products"]


def test_a_caller_that_has_written_says_so(unit):
    channel = Channel("grpc://nowhere:1", echo.DESCRIPTOR, token=echo.TOKEN)
    assert "x-fresh" not in dict(channel.metadata(echo.READ))
    unit.wrote = True

    assert dict(channel.metadata(echo.READ))["x-fresh"] == "1"


def test_a_call_that_may_have_changed_something_elsewhere_counts_as_a_write(unit):
    with serving_in_transaction(echo.register, echo.chain()) as address:
        stub = echo.Stub(Channel(f"grpc://{address}", echo.DESCRIPTOR, token=echo.TOKEN))
        stub.Read(echo.Text())
        assert not unit.wrote
        stub.Write(echo.Text())

    assert unit.wrote
