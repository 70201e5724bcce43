"""The client package: our own modules without Django, with the functions of `public.py`, wherever it is installed."""

import ast
import inspect
import json
import os
import subprocess
import sys
from importlib import import_module

import pytest

from framework import discovery
from framework.grpc import server as grpc_server
from framework.grpc import service as rpc
from framework.testing.grpc import serving
from tools import wheel

DOMAINS = [module.__name__.split(".")[-2] for module in discovery.modules("client")]
TOKEN = "the-token-of-a-shop"
pytestmark = pytest.mark.skipif(not DOMAINS, reason="no domain here has a client.py")

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


@pytest.mark.parametrize(
    ("source", "moved"),
    [
        ("from apps.catalog import wire\n", "from shop.catalog import wire\n"),
        ("from framework.grpc import convert\n", "from shop.common.grpc import convert\n"),
        ("from framework.client.remote import stub\n", "from shop.common.remote import stub\n"),
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
    public = (
        '"""Shop as everyone else sees it."""\n'
        "from framework.seam.remote import is_remote\n"
        "from apps.shop.entities import Thing\n\n"
        'if is_remote("shop"):\n    from apps.shop.client import get_thing\n'
        "else:\n    from apps.shop.repository import get_thing\n\n"
        '__all__ = ["Thing", "get_thing"]\n'
    )

    assert wheel.elsewhere(public) == (
        '"""Shop as everyone else sees it."""\n'
        "from apps.shop.entities import Thing\n\n"
        "from apps.shop.client import get_thing\n\n"
        '__all__ = ["Thing", "get_thing"]\n'
    )


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
def test_a_fresh_environment_calls_a_live_server(version, tmp_path, settings):
    python = install(interpreter(version), tmp_path / "environment", wheel.build(tmp_path))
    settings.GRPC_TOKENS = f"shop:{TOKEN}:*+assert.staff+assert.unchecked"

    with serving(rpc.register, grpc_server.chain()) as address:
        environment = {"BACKEND_URL": f"grpc://{address}", "BACKEND_TOKEN": TOKEN}
        for domain in DOMAINS:
            program = settings.BASE_DIR / "apps" / domain / "tests" / "use_client.py"
            done = subprocess.run(
                [python, "-I", program], env=environment, capture_output=True, text=True, timeout=60, check=False
            )
            assert done.returncode == 0, done.stderr
