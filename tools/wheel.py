"""The client package that other teams install: this project's own modules, as far as they need no Django.

Each domain with a `client.py` becomes a module of the package, with the functions of its `public.py`. Nothing is
written twice: the modules are copied, and only their imports change, because a package that others install must
not bring a top-level `apps` or `protos`. The wire contracts keep their names, so that the package and the project
can live in one process.
"""

import ast
import re
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from django.conf import settings

APPS = settings.BASE_DIR / "apps"
PROTOS = settings.BASE_DIR / "protos"
OWN = settings.BASE_DIR / "project" / "client"
COMMON = (
    "__init__.py",
    "actor.py",
    "call.py",
    "errors.py",
    "fakes.py",
    "pages.py",
    "trace.py",
    "grpc/__init__.py",
    "grpc/assertion.py",
    "grpc/channel.py",
    "grpc/contract.py",
    "grpc/convert.py",
    "grpc/errors.py",
    "grpc/validate.py",
)
DOMAIN = ("entities.py", "rules.py", "wire.py", "client.py", "fake.py")  # public.py becomes the domain's __init__.py
CHOOSING = ("from framework.seam.remote import", "from framework.seam.rules import")  # what public.py chooses with
# From the most to the least special; what is left of the name follows.
MOVES = (
    ("framework.client.remote", "common.remote"),
    ("framework.client", ""),
    ("apps", ""),
    ("protos", "protos"),
)
_PYPROJECT = """\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "{name}"
version = "{version}"
description = "Calls the services of {title}."
requires-python = ">=3.11"
dependencies = [{dependencies}]

[tool.hatch.build.targets.wheel]
packages = ["{package}"]
"""


def name() -> str:
    """Of the distribution, as it is installed."""
    return f"{settings.PROJECT_SLUG}-client"


def package() -> str:
    """The name it is imported by."""
    return name().replace("-", "_")


def build(folder: Path) -> Path:
    """Write the wheel into the folder, and return its path.

    Raises CalledProcessError when hatchling cannot build it; its message stands on stderr.
    """
    with tempfile.TemporaryDirectory() as staging:
        write(Path(staging))
        command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder.resolve())]
        subprocess.run(command, cwd=staging, check=True)
    return folder / f"{package()}-{settings.CLIENT_VERSION}-py3-none-any.whl"


def write(folder: Path) -> None:
    """Write what the wheel is built from: pyproject.toml and the package."""
    for target, text in _modules():
        path = folder / package() / target
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(rewrite(text, package()))
    (folder / package() / "py.typed").touch()
    pyproject = _PYPROJECT.format(
        name=name(),
        version=settings.CLIENT_VERSION,
        title=settings.PROJECT_NAME,
        package=package(),
        dependencies=", ".join(f'"{requirement}"' for requirement in requirements()),
    )
    (folder / "pyproject.toml").write_text(pyproject)


def requirements() -> tuple[str, ...]:
    """What the package needs: generated code refuses runtimes older than itself, and accepts newer ones."""
    generated = "".join(path.read_text() for path in sorted(PROTOS.glob("**/*_pb2*.py")))
    protobuf = re.findall(r"# Protobuf Python Version: (\S+)", generated)
    grpcio = re.findall(r"GRPC_GENERATED_VERSION = '(\S+)'", generated)
    common = version("googleapis-common-protos")
    return f"grpcio>={grpcio[0]}", f"protobuf>={protobuf[0]}", f"googleapis-common-protos>={common}"


def rewrite(source: str, package: str) -> str:
    """The module's text with the names of modules as they are inside of `package`."""
    lines = source.encode().splitlines(keepends=True)  # ast counts bytes
    for line, column, old in sorted(_module_names(ast.parse(source)), reverse=True):
        text, new = lines[line - 1], _moved(old, package).encode()
        if text[column : column + len(old)] != old.encode():
            raise ValueError(f"{old} does not stand at column {column} of {text!r}")
        lines[line - 1] = text[:column] + new + text[column + len(old) :]
    return b"".join(lines).decode()


def elsewhere(public: str) -> str:
    """A `public.py` as it is for a domain that is elsewhere: of its two branches, the one with the client's."""
    lines = public.splitlines(keepends=True)
    (choice,) = (node for node in ast.parse(public).body if isinstance(node, ast.If))
    branch = lines[choice.body[0].lineno - 1 : choice.body[-1].end_lineno]
    kept = [*lines[: choice.lineno - 1], textwrap.dedent("".join(branch)), *lines[choice.end_lineno :]]
    return "".join(line for line in kept if not line.startswith(CHOOSING))


def _modules() -> Iterator[tuple[Path, str]]:
    """Path inside of the package, and text before it is rewritten, of each module."""
    yield Path("__init__.py"), (OWN / "__init__.py").read_text()
    yield Path("common/remote.py"), (OWN / "remote.py").read_text()
    for name in COMMON:
        yield Path("common", name), (APPS / "common" / name).read_text()
    for path in sorted([*PROTOS.glob("**/*.py"), *PROTOS.glob("**/*.pyi")]):
        yield path.relative_to(settings.BASE_DIR), path.read_text()
    for domain in sorted(path.parent for path in APPS.glob("*/client.py")):
        yield Path(domain.name, "__init__.py"), elsewhere((domain / "public.py").read_text())
        for name in DOMAIN:
            if (domain / name).exists():
                yield Path(domain.name, name), (domain / name).read_text()


def _module_names(tree: ast.Module) -> Iterator[tuple[int, int, str]]:
    """Line, column and text of the names of our modules: in imports, and where protoc notes its messages' module."""
    for node in ast.walk(tree):
        match node:
            case ast.ImportFrom(module=str(module)) if _is_ours(module):
                yield node.lineno, node.col_offset + len("from "), module
            case ast.Constant(value=str(module)) if module.endswith("_pb2") and _is_ours(module):
                yield node.lineno, node.col_offset + 1, module


def _is_ours(module: str) -> bool:
    return module.partition(".")[0] in ("apps", "project", "protos")


def _moved(module: str, package: str) -> str:
    for old, new in MOVES:
        if f"{module}.".startswith(f"{old}."):
            return ".".join(filter(None, (package, new, module[len(old) + 1 :])))
    raise ValueError(f"{module} does not travel in the client package")
