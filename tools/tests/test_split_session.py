"""A session of a single-page app once the catalog, then orders, has moved out: two processes with a database each, and
a third where the service calls back."""

import http.cookiejar
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
import uuid
from contextlib import ExitStack

import psycopg
import pytest
from django.conf import settings

from framework.testing.servers import free_port
from tools.management.commands import split

SERVER, REDIS = os.environ.get("SPLIT_SERVER"), os.environ.get("SPLIT_REDIS")
TOKEN = "split-token-0123456789"
needs_server = pytest.mark.skipif(not SERVER, reason="needs PostgreSQL for two databases: run .ci/split")
STAFF, PASSWORD = "staff@example.com", "correct-horse-battery"
SET_UP = """
import django
django.setup()
from django.core.management import call_command
from apps.accounts import repository
call_command("migrate", verbosity=0)
if {users}:
    repository.create_user("staff@example.com", "{password}", is_staff=True, is_superuser=True)
    repository.create_user("kim@example.com", "{password}")
    repository.create_user("robin@example.com", "{password}")
"""
PRODUCT = "{ product { id sku name price stock version } }"
CREATE = f"mutation ($input: CreateProductInput!) {{ createProduct(input: $input) {PRODUCT} }}"
UPDATE = f"""mutation ($id: ID!, $version: Int!, $input: UpdateProductInput!) {{
    updateProduct(id: $id, version: $version, input: $input) {PRODUCT}
}}"""
SEARCH = """query ($search: String, $after: String) {
    products(search: $search, first: 2, after: $after) { edges { cursor node { name } } totalCount }
}"""
ORDER = "{ id status total reason lines { name quantity product { name stock } } }"
PLACE = f"""mutation ($key: String!, $lines: [OrderLineInput!]!) {{
    placeOrder(key: $key, lines: $lines) {{ order {ORDER} }}
}}"""
CANCEL = f'mutation ($id: ID!) {{ cancelOrder(id: $id, reason: "Too late.") {{ order {ORDER} }} }}'
MINE = f"{{ myOrders(first: 50) {{ edges {{ node {ORDER} }} }} }}"


class Process:
    """One installation's process, on a port of its own."""

    def __init__(self, name, folder, *command, **variables):
        self.log = folder / f"{name}.log"
        self.command = [sys.executable, *command]
        self.variables = {"PATH": os.environ["PATH"], "DEBUG": "1", "DATA_DIR": str(folder)} | variables
        self.start()

    def start(self):
        with self.log.open("a") as log:
            self.running = subprocess.Popen(self.command, env=self.variables, stdout=log, stderr=log)

    def run(self, code):
        """What the code prints, run by this installation."""
        command = [sys.executable, "manage.py", "shell", "-v", "0", "-c", code]
        return subprocess.run(command, env=self.variables, check=True, capture_output=True, text=True).stdout

    def stop(self):
        self.running.send_signal(signal.SIGTERM)
        self.running.wait(timeout=40)

    def calls(self, request_id):
        """The methods that were called for one request."""
        lines = [line for line in self.log.read_text().splitlines() if f"request_id={request_id}" in line]
        return sorted(re.search(r"name=/\S+/(\w+)", line)[1] for line in lines if "access.grpc" in line)


class App:
    """A single-page app: holds cookies, sends the CSRF token."""

    def __init__(self, site):
        self.site = site
        self.cookies = http.cookiejar.CookieJar()
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.cookies))
        self.request_id = ""
        self("{ csrfToken }")

    def __call__(self, query, **variables):
        return self.post("/graphql", {"query": query, "variables": variables})

    def post(self, path, body):
        self.request_id = uuid.uuid4().hex
        token = {cookie.name: cookie.value for cookie in self.cookies}.get(settings.CSRF_COOKIE_NAME, "")
        headers = {"Content-Type": "application/json", "X-CSRFToken": token, "X-Request-ID": self.request_id}
        request = urllib.request.Request(f"{self.site}{path}", json.dumps(body).encode(), headers)
        with self.opener.open(request, timeout=30) as response:
            return json.load(response)

    def data(self, query, **variables):
        answer = self(query, **variables)
        assert "errors" not in answer, answer["errors"]
        (value,) = answer["data"].values()
        return value

    def code(self, query, **variables):
        (error,) = self(query, **variables)["errors"]
        return error["extensions"]["code"]


class Installation:
    """The monolith's site, and the process of the domain that moved."""

    def __init__(self, site, monolith, service):
        self.site, self.monolith, self.service = site, monolith, service

    def app(self, email):
        """Somebody's, who has logged in."""
        app = App(self.site)
        app.post("/accounts/browser/v1/auth/login", {"email": email, "password": PASSWORD})
        app("{ csrfToken }")
        return app


def on_server(statement):
    with psycopg.connect(f"{SERVER}/postgres", autocommit=True) as connection:
        connection.execute(statement)


def database(name):
    drop(name)
    on_server(f"CREATE DATABASE {name}")
    return f"{SERVER}/{name}"


def drop(name):
    on_server(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def set_up(*installations):
    """Migrate all at once; the first has users."""
    running = [
        subprocess.Popen([sys.executable, "-c", SET_UP.format(users=number == 0, password=PASSWORD)], env=variables)
        for number, variables in enumerate(installations)
    ]
    assert [process.wait(timeout=120) for process in running] == [0] * len(running)


def wait_for(check, seconds=40):
    end = time.monotonic() + seconds
    while True:
        try:
            return check()
        except (OSError, AssertionError):
            assert time.monotonic() < end
            time.sleep(0.2)


@pytest.fixture
def installed(request, db, tmp_path):
    """The monolith with one domain moved out, as the checklist says."""
    moved = request.param
    move = split.plan(moved)
    ports = {name: free_port() for name in ("web", "monolith", "service")}
    base = {
        "PATH": os.environ["PATH"],
        "DEBUG": "1",
        "DATA_DIR": str(tmp_path),
        "DJANGO_SETTINGS_MODULE": "project.settings",
        "GRPC_CALL_TOKEN": TOKEN,
        "WEB_WORKERS": "1",
    }
    monolith = base | {
        "SECRET_KEY": "a-key-of-the-monolith-" * 4,
        "DATABASE_URL": database("split_monolith"),
        "REDIS_URL": f"{REDIS}/9",
        "DOMAINS": ",".join(move.stays),
        move.url_variable: f"grpc://127.0.0.1:{ports['service']}",
        "GRPC_TOKENS": f"{moved}:{TOKEN}:{split.scopes(*move.callees)}" if move.callees else "",
        "PORT": str(ports["web"]),
    }
    service = base | {
        "SECRET_KEY": "a-key-of-the-service-" * 4,
        "DATABASE_URL": database("split_service"),
        "REDIS_URL": f"{REDIS}/10",
        "DOMAINS": moved,
        "SHARD_ID": "1",
        "GRPC_TOKENS": f"monolith:{TOKEN}:{split.scopes(moved, users_elsewhere=True)}",
        **{f"{callee.upper()}_URL": f"grpc://127.0.0.1:{ports['monolith']}" for callee in move.callees},
    }
    with ExitStack() as stack:
        for name in ("split_monolith", "split_service"):
            stack.callback(drop, name)
        set_up(monolith, service)

        def start(name, variables, *command):
            process = Process(name, tmp_path, *command, **variables)
            stack.callback(process.stop)
            return process

        serve = ("manage.py", "grpcrunserver")
        running = start("service", service, *serve, f"127.0.0.1:{ports['service']}")
        web = start("web", monolith, "-m", "gunicorn", "-c", "python:project.gunicorn", "project.wsgi")
        if move.callees:
            start("monolith", monolith, *serve, f"127.0.0.1:{ports['monolith']}")
        site = f"http://127.0.0.1:{ports['web']}"
        wait_for(lambda: App(site).data("{ __typename }"))
        for log in tmp_path.glob("*.log"):
            if log.stem != "web":
                wait_for(lambda log=log: _started(log))
        yield Installation(site, web, running)


def _started(log):
    assert "gRPC server started" in log.read_text()


def product_session(installed):
    """Staff keeps the products; returns one."""
    staff = installed.app(STAFF)
    chair = staff.data(CREATE, input={"sku": "OAK-1", "name": "Oak Chair", "price": "19.90", "stock": 10})["product"]
    changed = staff.data(UPDATE, id=chair["id"], version=1, input={"price": "20.00"})["product"]

    assert changed == chair | {"price": "20.00", "version": 2}
    assert staff.code(UPDATE, id=chair["id"], version=1, input={"price": "1"}) == "CONFLICT"
    assert staff.code(CREATE, input={"sku": "OAK-1", "name": "x", "price": "1"}) == "CONFLICT"
    assert staff.code(CREATE, input={"sku": "", "name": "x", "price": "-1"}) == "BAD_USER_INPUT"
    for name in ("Oak Lamp", "Oak Table", "Elm Table"):
        staff.data(CREATE, input={"sku": name, "name": name, "price": "5", "stock": 10})
    first = staff.data(SEARCH, search="oak")
    rest = staff.data(SEARCH, search="oak", after=first["edges"][0]["cursor"])
    assert (first["totalCount"], [edge["node"]["name"] for edge in first["edges"]]) == (3, ["Oak Chair", "Oak Lamp"])
    assert [edge["node"]["name"] for edge in rest["edges"]] == ["Oak Lamp", "Oak Table"]
    assert App(installed.site).code(CREATE, input={"sku": "x", "name": "x", "price": "1"}) == "UNAUTHENTICATED"
    return chair


def order_session(installed, chair):
    """A customer orders, too much, again, and cancels; returns the customer's app and the order that stands."""
    customer = installed.app("kim@example.com")

    def lines(quantity):
        return [{"productId": chair["id"], "quantity": quantity}]

    assert customer.code(CREATE, input={"sku": "x", "name": "x", "price": "1"}) == "FORBIDDEN"
    assert App(installed.site).code(PLACE, key="k1", lines=lines(1)) == "UNAUTHENTICATED"
    order = customer.data(PLACE, key="k1", lines=lines(3))["order"]
    assert (order["status"], order["total"]) == ("PLACED", "60.00")
    assert order["lines"] == [{"name": "Oak Chair", "quantity": 3, "product": {"name": "Oak Chair", "stock": 7}}]
    assert customer.data(PLACE, key="k1", lines=lines(3))["order"] == order
    assert customer.code(PLACE, key="k1", lines=lines(4)) == "CONFLICT"
    assert customer.data(PLACE, key="k2", lines=lines(8))["order"]["reason"] == "There is not enough in stock."
    second = customer.data(PLACE, key="k3", lines=lines(2))["order"]
    assert customer.data(CANCEL, id=second["id"])["order"]["status"] == "CANCELLED"
    statuses = [edge["node"]["status"] for edge in customer.data(MINE)["edges"]]
    assert statuses == ["CANCELLED", "REJECTED", "PLACED"]
    other = installed.app("robin@example.com")
    assert other.code(CANCEL, id=order["id"]) == "NOT_FOUND"
    assert other.data(MINE)["edges"] == []
    return customer, order, second


def give_back(process, order):
    process.run(f"from apps.orders import tasks; tasks.release_stock({order['id']})")


@needs_server
@pytest.mark.parametrize("installed", ["catalog"], indirect=True)
def test_a_single_page_app_sees_no_difference_while_the_catalog_is_elsewhere(installed):
    chair = product_session(installed)
    customer, order, cancelled = order_session(installed, chair)

    customer.data(MINE)
    assert installed.service.calls(customer.request_id) == ["BatchGetProducts"]
    give_back(installed.monolith, cancelled)
    assert order["lines"][0]["product"]["stock"] == 7
    assert customer.data(MINE)["edges"][-1]["node"] == order


@needs_server
@pytest.mark.parametrize("installed", ["catalog"], indirect=True)
def test_orders_are_taken_while_the_catalog_is_down_and_placed_once_it_is_back(installed):
    chair = product_session(installed)
    customer = installed.app("kim@example.com")
    installed.service.stop()

    started = time.monotonic()
    answer = customer(PLACE, key="k1", lines=[{"productId": chair["id"], "quantity": 3}])
    order = answer["data"]["placeOrder"]["order"]
    assert order["status"] == "PENDING"
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["UNAVAILABLE"]
    assert time.monotonic() - started < 12
    assert customer.code(SEARCH) == "UNAVAILABLE"

    installed.service.start()
    wait_for(lambda: customer.data(SEARCH))
    installed.monolith.run(f"from apps.orders import tasks; tasks.complete_order({order['id']})")
    (edge,) = customer.data(MINE)["edges"]
    assert (edge["node"]["status"], edge["node"]["lines"][0]["product"]["stock"]) == ("PLACED", 7)


@needs_server
@pytest.mark.parametrize("installed", ["orders"], indirect=True)
def test_a_single_page_app_sees_no_difference_while_orders_are_elsewhere(installed):
    chair = product_session(installed)
    customer, order, cancelled = order_session(installed, chair)

    customer.data(MINE)
    assert installed.service.calls(customer.request_id) == ["BatchGetLines", "ListOrders"]
    give_back(installed.service, cancelled)
    assert customer.data(MINE)["edges"][-1]["node"]["lines"][0]["product"]["stock"] == 7

    copied = subprocess.run(
        f"pg_dump --data-only --no-owner -t accounts_user {SERVER}/split_monolith"
        f" | psql --quiet --single-transaction --set ON_ERROR_STOP=1 {SERVER}/split_service",
        shell=True,
        capture_output=True,
    )
    assert copied.returncode == 0, copied.stderr
    installed.service.run(f"from apps.orders import tasks; tasks.send_confirmation({order['id']})")
    kept = installed.service.run("from framework import mail; print(*(m.read_text() for m in mail.folder().iterdir()))")
    assert "To: kim@example.com" in kept
