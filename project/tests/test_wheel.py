"""The client package: our own modules without Django, with the functions of `public.py`, wherever it is installed."""

import ast
import inspect
import json
import os
import subprocess
import sys
from importlib import import_module

import pytest
from django.conf import settings

from apps.catalog.fake import Catalog
from apps.common.grpc.testing import serving
from apps.orders.fake import Orders
from project import grpc_server, rpc, wheel

DOMAINS = ("catalog", "orders")
TOKEN = "the-token-of-a-shop"

# What is said of a domain: its names, and how its functions are called.
DESCRIBE = """
import importlib, inspect, json, pkgutil, sys
sys.modules["django"] = None
sys.path.insert(0, sys.argv[1])
package = importlib.import_module(sys.argv[2])
for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
    importlib.import_module(module.name)

def described(domain):
    module = importlib.import_module(f"{package.__name__}.{domain}")
    functions = {name: getattr(module, name) for name in module.__all__}
    return {name: str(inspect.signature(f)) for name, f in functions.items() if inspect.isfunction(f)}, module.__all__

print(json.dumps({domain: described(domain) for domain in sys.argv[3:]}))
"""

# What a team may write that has the package and a token. The server is live, its database is empty.
USE = """
import os, pickle, sys
from decimal import Decimal
from backend_client import SYSTEM, Actor, acting_as, call, catalog, errors, from_env, orders

def refusal(function, *args, **kwargs):
    try:
        function(*args, **kwargs)
    except errors.DomainError as error:
        return error
    sys.exit("was not refused")

from_env()
draft = catalog.ProductDraft("OAK-1", "Oak Chair", Decimal("19.90"), stock=3)
chair = catalog.create_product(SYSTEM, draft)
assert catalog.get_product(chair.id) == chair and chair.price == Decimal("19.90"), chair
assert catalog.list_products(search="oak").items == [chair]
assert pickle.loads(pickle.dumps(chair)) == chair

taken = refusal(catalog.create_product, SYSTEM, draft)
assert isinstance(taken, errors.AlreadyExists) and taken.reason == "SKU_TAKEN", taken
assert taken.fields == {"sku": "is taken"}, taken.fields
assert refusal(catalog.get_product, 1).reason == "PRODUCT_NOT_FOUND"

held = catalog.reserve("key", [catalog.Line(chair.id, 2)])
assert held == catalog.reserve("key", [catalog.Line(chair.id, 2)])
assert refusal(catalog.reserve, "other", [catalog.Line(chair.id, 2)]).reason == "OUT_OF_STOCK"
assert catalog.release("key").status is catalog.ReservationStatus.RELEASED

assert isinstance(refusal(catalog.create_product, Actor(user_id=7), draft), errors.PermissionDenied)
assert isinstance(refusal(catalog.create_product, Actor(), draft), errors.Unauthenticated)
assert isinstance(refusal(orders.list_orders, Actor(for_visitor=True)), errors.Unauthenticated)
with acting_as(Actor(user_id=7)):
    assert catalog.get_product(chair.id).stock == 3
assert orders.list_orders(Actor(user_id=7)).items == []

call.start("a-request", seconds=-1)
assert isinstance(refusal(catalog.get_product, chair.id), errors.DeadlineExceeded)
call.start("a-request", seconds=5)

if (child := os.fork()) == 0:
    os._exit(0 if catalog.get_product(chair.id).stock == 3 else 1)
assert os.waitpid(child, 0)[1] == 0, "a forked process cannot call"

assert "django" not in sys.modules and "apps" not in sys.modules
print("all is well", end="")
"""


@pytest.fixture(scope="module")
def staged(tmp_path_factory):
    """The folder the wheel is built from."""
    folder = tmp_path_factory.mktemp("staged")
    wheel.write(folder)
    return folder


def interpreter(version):
    """A Python of this version; the test is skipped when there is none."""
    if version == f"{sys.version_info.major}.{sys.version_info.minor}":
        return sys.executable
    try:
        command = [f"python{version}", "-c", "import sys, venv; print(sys.executable)"]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        pytest.skip(f"there is no Python {version} here")


def install(python, environment, package):
    """Install the wheel, and what it needs from the package index, into a fresh virtual environment."""
    subprocess.run([python, "-m", "venv", "--without-pip", environment], check=True)
    pip = [sys.executable, "-m", "pip", "--python", environment / "bin" / "python", "--disable-pip-version-check"]
    done = subprocess.run([*pip, "install", "--quiet", package], capture_output=True, text=True, check=False)
    if done.returncode and "CI" not in os.environ:
        pytest.skip(f"the package index does not answer: {done.stderr.strip()[-200:]}")
    assert done.returncode == 0, done.stderr
    return environment / "bin" / "python"


def roots(path):
    """The top-level packages a module imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.ImportFrom(module=str(module)):
                yield module.partition(".")[0]
            case ast.Import(names=names):
                yield from (name.name.partition(".")[0] for name in names)


def test_the_package_imports_what_it_declares_and_nothing_of_ours(staged):
    found = {root for path in staged.glob("**/*.py") for root in roots(path)}

    assert found - sys.stdlib_module_names == {"backend_client", "google", "grpc"}


def test_the_requirements_are_what_the_generated_code_asks_for():
    names = [requirement.partition(">=")[0] for requirement in wheel.requirements()]

    assert names == ["grpcio", "protobuf", "googleapis-common-protos"]
    assert all(requirement.partition(">=")[2] for requirement in wheel.requirements())


def test_without_django_each_domain_has_the_functions_of_its_public_module(staged):
    command = [sys.executable, "-I", "-c", DESCRIBE, str(staged), wheel.package(), *DOMAINS]
    described = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    for domain in DOMAINS:
        signatures, names = described[domain]
        public = import_module(f"apps.{domain}.public")
        assert names == public.__all__
        ours = {name: getattr(public, name) for name in names}
        assert signatures.keys() == {name for name, value in ours.items() if inspect.isfunction(value)}
        for name, signature in signatures.items():
            assert signature.replace("backend_client.", "apps.") == str(inspect.signature(ours[name])), name


@pytest.mark.parametrize(("domain", "fake"), [("catalog", Catalog()), ("orders", Orders(Catalog()))])
def test_a_fake_has_all_that_its_domain_has(domain, fake):
    public = import_module(f"apps.{domain}.public")
    for name in public.__all__:
        theirs, ours = getattr(public, name), getattr(fake, name)
        if inspect.isfunction(theirs):
            assert inspect.signature(ours) == inspect.signature(theirs), name
        else:
            assert ours is theirs


@pytest.mark.parametrize(
    ("source", "moved"),
    [
        ("from apps.catalog import wire\n", "from shop.catalog import wire\n"),
        ("from apps.common.grpc import convert\n", "from shop.common.grpc import convert\n"),
        ("from project.client.remote import stub\n", "from shop.common.remote import stub\n"),
        ("from protos.orders.v1 import orders_pb2 as pb\n", "from shop.protos.orders.v1 import orders_pb2 as pb\n"),
        ("x = 'ä'; from apps.common import call\n", "x = 'ä'; from shop.common import call\n"),
        ("build(D, 'protos.a.v1.a_pb2', g)\n", "build(D, 'shop.protos.a.v1.a_pb2', g)\n"),
        (
            "if x:\n    from apps.a import (\n        b,\n    )\n",
            "if x:\n    from shop.a import (\n        b,\n    )\n",
        ),
        ("from appsy import apps  # from apps.a\n", "from appsy import apps  # from apps.a\n"),
        ("D = b'protos/a.proto'\n", "D = b'protos/a.proto'\n"),
    ],
)
def test_only_the_names_of_our_modules_change(source, moved):
    assert wheel.rewrite(source, "shop") == moved


def test_a_module_that_does_not_travel_stops_the_build():
    with pytest.raises(ValueError, match=r"project\.settings does not travel"):
        wheel.rewrite("from project.settings import DEBUG\n", "shop")


def test_of_the_two_sides_of_the_seam_the_package_has_the_clients():
    public = (settings.BASE_DIR / "apps" / "orders" / "public.py").read_text()

    assert wheel.elsewhere(public).startswith(
        '"""Orders as everyone else sees them: these functions, whether they run here or elsewhere."""\n\n'
        "from apps.orders.entities import Line, Order, OrderLine, OrderStatus, orders_keyset\n\n"
        "from apps.orders.client import cancel_order, count_orders, get_lines, get_order, list_orders, place_order\n\n"
        "__all__ = [\n"
    )


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
def test_a_fresh_environment_calls_a_live_server(version, tmp_path, settings):
    python = install(interpreter(version), tmp_path / "environment", wheel.build(tmp_path))
    settings.GRPC_TOKENS = f"shop:{TOKEN}"

    with serving(rpc.register, grpc_server.chain()) as address:
        environment = {"BACKEND_URL": f"grpc://{address}", "BACKEND_TOKEN": TOKEN}
        done = subprocess.run(
            [python, "-I", "-c", USE], env=environment, capture_output=True, text=True, timeout=60, check=False
        )

    assert (done.stdout, done.returncode) == ("all is well", 0), done.stderr
