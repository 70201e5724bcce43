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
PACKAGE = wheel.package()
PREFIX = PACKAGE.removesuffix("client").upper()
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


def wheel_names(signature):
    """As the package names our modules."""
    return signature.replace("framework.", f"{PACKAGE}.framework.").replace("apps.", f"{PACKAGE}.")


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

    assert found - sys.stdlib_module_names == {PACKAGE, "google", "grpc"}


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
            assert signature == wheel_names(str(inspect.signature(ours[name]))), name


@pytest.mark.parametrize(
    ("source", "copied"),
    [
        ("from apps.catalog import wire\n", "from shop.catalog import wire\n"),
        ("from framework.grpc import convert\n", "from shop.framework.grpc import convert\n"),
        ("from framework import errors\n", "from shop.framework import errors\n"),
        ("from framework.client.remote import stub\n", "from shop.framework.seam.remote import stub\n"),
        ("from protos.orders.v1 import orders_pb2 as pb\n", "from shop.protos.orders.v1 import orders_pb2 as pb\n"),
        ("build(D, 'protos.a.v1.a_pb2', g)\n", "build(D, 'shop.protos.a.v1.a_pb2', g)\n"),
        (
            "if x:\n    from apps.a import (\n        b,\n    )\n",
            "if x:\n    from shop.a import (\n        b,\n    )\n",
        ),
        ("from appsy import apps  # from apps.a\n", "from appsy import apps  # from apps.a\n"),
        ("from frameworks import protos\n", "from frameworks import protos\n"),
        ("D = b'protos/a.proto'\n", "D = b'protos/a.proto'\n"),
    ],
)
def test_only_the_names_of_our_modules_change(source, copied):
    assert wheel.prefixed(source, "shop") == copied


def test_public_modules_are_copied_whole(staged, settings):
    for domain in DOMAINS:
        public = (settings.BASE_DIR / "apps" / domain / "public.py").read_text().splitlines()
        copied = (staged / PACKAGE / domain / "__init__.py").read_text().splitlines()

        assert len(copied) == len(public)
        assert all(new == old or "import" in new for new, old in zip(copied, public, strict=True))


def test_in_the_package_every_domain_is_remote(staged, settings):
    text = (staged / PACKAGE / "framework" / "seam" / "remote.py").read_text()

    assert text == wheel.prefixed((settings.BASE_DIR / "framework/client/remote.py").read_text(), PACKAGE)


def test_two_projects_packages_live_in_one_process(staged, tmp_path, monkeypatch):
    monkeypatch.setattr(wheel, "package", lambda: "other_client")
    wheel.write(tmp_path)
    program = f"""
import sys
sys.path[:0] = [{str(staged)!r}, {str(tmp_path)!r}]
import {PACKAGE}, other_client
{PACKAGE}.connect("grpc://one:1")
other_client.connect("grpc://two:2")
from {PACKAGE}.framework.seam import remote as one
from other_client.framework.seam import remote as two
print(one._places[""].url, two._places[""].url)
"""
    done = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, check=False)

    assert (done.stdout, done.stderr) == ("grpc://one:1 grpc://two:2\n", "")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
def test_a_fresh_environment_calls_a_live_server(version, tmp_path, settings):
    python = install(interpreter(version), tmp_path / "environment", wheel.build(tmp_path))
    settings.GRPC_TOKENS = f"shop:{TOKEN}:*+assert.staff+assert.unchecked"

    with serving(rpc.register, grpc_server.chain()) as address:
        environment = {f"{PREFIX}URL": f"grpc://{address}", f"{PREFIX}TOKEN": TOKEN}
        for domain in DOMAINS:
            program = settings.BASE_DIR / "apps" / domain / "tests" / "client_example.py"
            done = subprocess.run(
                [python, "-I", program], env=environment, capture_output=True, text=True, timeout=60, check=False
            )
            assert done.returncode == 0, done.stderr
