"""No query of a repository or of the queue, and no list of the admin, reads or sorts a whole table."""

import inspect
import json
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from allauth.usersessions.models import UserSession
from django.apps import apps
from django.contrib import admin
from django.contrib.sessions.models import Session
from django.db import connection
from django.db.models import Model
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from apps.accounts import repository as accounts
from apps.accounts.entities import DataRequestKind
from apps.accounts.tests.factories import StaffFactory
from apps.catalog import repository as catalog
from apps.catalog.entities import Line, ProductChanges, ProductDraft, ReservationStatus
from apps.orders import repository as orders
from apps.orders.entities import OrderStatus
from framework.actor import SYSTEM
from framework.pages import MAX_COUNT
from framework.queue import outbox, state, table
from framework.queue.models import QueuedTask

pytestmark = [pytest.mark.postgresql, pytest.mark.django_db]

User, Product, Reservation, Order, OrderLine = map(
    apps.get_model,
    ("accounts.User", "catalog.Product", "catalog.Reservation", "orders.Order", "orders.OrderLine"),
)
ROWS = 10_000  # of each table that grows
FEW = MAX_COUNT + 1  # rows that a query may read without an index, or sort
NOW = timezone.now()
NO_QUERY = ("entity_of",)
ALLOWED = {  # to read or sort more, and why
    "catalog.low_stock": "Once a day. An index that knows the stock would have to be written by each sale.",
    "accounts.forget_old_unverified": "Once an hour; it finds next to nothing.",
    "accounts.staff_emails": "Once a day.",
    "state.queue_state": "It counts the queue, which is short or in trouble.",
    "outbox.publish_again": "Once the broker was wiped: nearly all rows are written then.",
    "outbox.publish_lost": "Every ten seconds, over what is queued.",
    "admin of accounts.User, searching": "Staff looks for any part of an address.",
    "admin of catalog.Product": "Staff sees archived ones too, by name; and its filter shows the currencies in use.",
    "admin of catalog.Product, searching": "Its filter shows the currencies in use.",
    "admin of queue.QueuedTask": "Its filter shows the names of what is queued.",
    "admin of queue.QueuedTask, searching": "Staff looks for any part of a name, in a queue that is in trouble.",
}


def fill() -> None:
    """Rows of which a key, an id or a page picks a few, as in a system that has run for long."""
    ago = [NOW - timedelta(minutes=number) for number in range(ROWS)]
    statuses = [ReservationStatus.HELD, *[ReservationStatus.COMMITTED] * 99]
    users = _make(User, ({"email": f"u{n}@example.com", "last_login": ago[n]} for n in range(ROWS)))
    _make(
        Product,
        ({"sku": f"S{n}", "name": f"Thing {n}", "price": n, "stock": n % 200, **_times(ago[n])} for n in range(ROWS)),
    )
    _make(
        Reservation,
        (
            {"key": f"r{n}", "status": statuses[n % 100], "expires_at": ago[n], "created_at": ago[n]}
            for n in range(ROWS)
        ),
    )
    made = _make(
        Order,
        (
            {
                "customer_id": n % 1000,
                "status": OrderStatus.PLACED,
                "key": f"k{n}" if n < 1000 else None,
                **_times(ago[n]),
            }
            for n in range(ROWS)
        ),
    )
    _make(OrderLine, ({"order": order, "product_id": 1, "quantity": 1} for order in made))
    _make(
        Session,
        ({"pk": f"s{n}", "session_data": "", "expire_date": NOW + timedelta(hours=n - 10)} for n in range(ROWS)),
    )
    _make(UserSession, ({"session_key": f"s{n}", "user": users[n], "ip": "::1", "user_agent": ""} for n in range(ROWS)))
    _make(
        QueuedTask, ({"task_id": f"t{n}", "task": "t", "due_at": NOW + timedelta(minutes=n - 10)} for n in range(ROWS))
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def _make(model: type[Model], rows: Iterable[dict[str, Any]]) -> list[Any]:
    return list(model._default_manager.bulk_create((model(**row) for row in rows), batch_size=2000))


def _times(moment: Any) -> dict[str, Any]:
    return {"created_at": moment, "updated_at": moment}


def queries() -> dict[str, Callable[[], object]]:
    """Each function that asks the database, by its name, called as it is called in earnest."""
    product = Product.objects.values_list("pk", flat=True)[0]
    order = orders.get_order(Order.objects.filter(customer_id=7).values_list("pk", flat=True)[0])
    user = User.objects.filter(is_staff=False).values_list("pk", flat=True)[0]
    request = accounts.add_request(user, DataRequestKind.ERASE)[0].id
    draft = ProductDraft("new", "New", Decimal(1))
    line = Line(product, 1)
    claimed = [outbox.message(row, NOW) for row in QueuedTask.objects.all()[:3]]
    calls: dict[str, Callable[[], object]] = {
        "catalog.get_product": lambda: catalog.get_product(product),
        "catalog.get_products": lambda: catalog.get_products([product]),
        "catalog.list_products": lambda: catalog.list_products(first=20),
        "catalog.list_products, searching": lambda: catalog.list_products(first=20, search="thing 77"),
        "catalog.count_products": lambda: catalog.count_products(),
        "catalog.count_products, searching": lambda: catalog.count_products(search="thing 77"),
        "catalog.iterate_products": lambda: next(catalog.iterate_products()),
        "catalog.low_stock": lambda: catalog.low_stock(5),
        "catalog.create_product": lambda: catalog.create_product(draft),
        "catalog.update_product": lambda: catalog.update_product(product, 1, ProductChanges(name="Other")),
        "catalog.upsert_products": lambda: catalog.upsert_products([draft._replace(sku="newer")]),
        "catalog.draft_errors": lambda: catalog.draft_errors(draft),
        "catalog.find_reservation": lambda: catalog.find_reservation("r7", lock=True),
        "catalog.add_reservation": lambda: catalog.add_reservation("new", ReservationStatus.HELD, [line], NOW),
        "catalog.set_reservation_status": lambda: catalog.set_reservation_status("r7", ReservationStatus.RELEASED),
        "catalog.expired_keys": lambda: catalog.expired_keys(100),
        "catalog.thin_reservations": lambda: catalog.thin_reservations(NOW - timedelta(days=1), 100),
        "catalog.take_stock": lambda: catalog.take_stock(line),
        "catalog.return_stock": lambda: catalog.return_stock(line),
        "orders.get_order": lambda: orders.get_order(order.id),
        "orders.get_expected": lambda: orders.get_expected(order.id),
        "orders.get_lines": lambda: orders.get_lines([order.id]),
        "orders.list_orders": lambda: orders.list_orders(7),
        "orders.list_orders, of all": lambda: orders.list_orders(None),
        "orders.count_orders": lambda: orders.count_orders(7),
        "orders.count_orders, of all": lambda: orders.count_orders(None),
        "orders.find_by_key": lambda: orders.find_by_key(7, "k7"),
        "orders.add_order": lambda: orders.add_order(SYSTEM, 7, "new", "f", [line]),
        "orders.close": lambda: orders.close(
            order, OrderStatus.REJECTED, SYSTEM, "why", None, {product: ("a", Decimal(1))}
        ),
        "orders.move": lambda: orders.move(order.id, (OrderStatus.PLACED,), OrderStatus.CANCELLED, SYSTEM, "why"),
        "orders.held": lambda: orders.held(7),
        "orders.all_orders": lambda: orders.all_orders(7),
        "orders.erase_customer": lambda: orders.erase_customer(7),
        "orders.count_pending": lambda: orders.count_pending(NOW - timedelta(days=30)),
        "orders.forget_keys": lambda: orders.forget_keys(100),
        "accounts.get_user": lambda: accounts.get_user(user),
        "accounts.get_users": lambda: accounts.get_users([user]),
        "accounts.staff_emails": accounts.staff_emails,
        "accounts.create_user": lambda: accounts.create_user("new@example.com", "correct-horse-battery"),
        "accounts.note_seen": lambda: accounts.note_seen("s77"),
        "accounts.end_sessions": lambda: accounts.end_sessions(user),
        "accounts.forget_sessions": lambda: accounts.forget_sessions(100),
        "accounts.forget_old_unverified": accounts.forget_old_unverified,
        "accounts.forget_unverified": lambda: accounts.forget_unverified("u77@example.com"),
        "accounts.forget_exports": accounts.forget_exports,
        "accounts.join_group": lambda: accounts.join_group(user, "new", ["catalog.view_product"]),
        "accounts.sessions": lambda: accounts.sessions(user),
        "accounts.factors": lambda: accounts.factors(user),
        "accounts.reset_factors": lambda: accounts.reset_factors(user),
        "accounts.profile": lambda: accounts.profile(user),
        "accounts.add_request": lambda: accounts.add_request(user, DataRequestKind.EXPORT),
        "accounts.get_request": lambda: accounts.get_request(request),
        "accounts.finish_request": lambda: accounts.finish_request(request),
        "accounts.disable": lambda: accounts.disable(user),
        "accounts.erase_user": lambda: accounts.erase_user(user),
        "table.begin": lambda: table.begin("t77", 0),
        "table.renew_leases": lambda: table.renew_leases(["t77", "t78"]),
        "table.finish": lambda: table.finish("t77"),
        "table.reschedule": lambda: table.reschedule("t78", 1, timedelta()),
        "table.fail": lambda: table.fail("t79", "why"),
        "table.retry": lambda: table.retry(["t79"]),
        "outbox.claim_due": outbox.claim_due,
        "outbox.mark_published": lambda: outbox.mark_published(claimed),
        "outbox.mark_first_published": lambda: outbox.mark_first_published(["t80"]),
        "outbox.release_claim": lambda: outbox.release_claim(claimed),
        "outbox.publish_again": outbox.publish_again,
        "outbox.publish_lost": lambda: outbox.publish_lost(0, None),
        "state.queue_state": state.queue_state,
    }
    return calls


def lists(client: Any) -> Iterator[tuple[str, Callable[[], object]]]:
    """The pages of the admin that list a table's rows, and what a search there asks."""
    for model, of in admin.site._registry.items():
        url = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        yield f"admin of {model._meta.label}", lambda url=url: _page(client, url)
        if of.search_fields:
            yield f"admin of {model._meta.label}, searching", lambda url=url: _page(client, url, q="775")


def _page(client: Any, url: str, **query: str) -> None:
    assert client.get(url, query).status_code == 200


def test_no_query_reads_or_sorts_a_whole_table(client):
    client.force_login(StaffFactory())
    fill()
    calls = queries()
    assert _public(catalog) | _public(orders) | _public(accounts) <= {name.partition(",")[0] for name in calls}
    sizes = _sizes()
    found = {}
    for name, ask in [*calls.items(), *lists(client)]:
        if problems := sorted({problem for sql in _asked(ask) for problem in _problems(_plan(sql), sizes)}):
            found[name] = problems

    assert {name: problems for name, problems in found.items() if name not in ALLOWED} == {}
    assert set(ALLOWED) <= set(found), "allowed, and needs it no more"


def _public(repository: Any) -> set[str]:
    """The functions of a domain's repository that ask the database."""
    domain = repository.__name__.split(".")[1]
    functions = inspect.getmembers(repository, inspect.isfunction)
    own = [name for name, each in functions if inspect.unwrap(each).__module__ == repository.__name__]
    return {f"{domain}.{name}" for name in own if name[0] != "_" and name not in NO_QUERY}


def _asked(ask: Callable[[], object]) -> list[str]:
    with CaptureQueriesContext(connection) as captured:
        ask()
    return [query["sql"] for query in captured if query["sql"].startswith(("SELECT", "UPDATE", "DELETE", "INSERT"))]


def _plan(sql: str) -> dict[str, Any]:
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN (FORMAT JSON) " + sql.replace("%", "%%"), [])
        answer = cursor.fetchone()[0]
    plan: dict[str, Any] = (json.loads(answer) if isinstance(answer, str) else answer)[0]["Plan"]
    return plan


def _problems(node: dict[str, Any], sizes: dict[str, float], limit: float = float("inf")) -> Iterator[str]:
    """The parts of a plan that read or sort many rows; a limit above a scan ends it early."""
    rows = max(1.0, node["Plan Rows"])
    if node["Node Type"] == "Limit":
        limit = min(limit, rows)
    elif node["Node Type"] in ("Sort", "Aggregate", "Hash Join", "Hash"):
        limit = float("inf")
    if node["Node Type"] == "Seq Scan" and (size := sizes.get(node["Relation Name"], 0)) * min(1, limit / rows) > FEW:
        yield f"reads all {size:.0f} rows of {node['Relation Name']}"
    if node["Node Type"] == "Sort" and max(child["Plan Rows"] for child in node["Plans"]) > FEW:
        yield f"sorts {rows} rows by {node['Sort Key']}"
    for child in node.get("Plans", []):
        yield from _problems(child, sizes, limit)


def _sizes() -> dict[str, float]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT relname, reltuples FROM pg_class WHERE relkind = 'r'")
        return dict(cursor.fetchall())
