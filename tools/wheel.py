"""The client package that other teams install: this project's own modules, as far as they need no Django.

Each domain with a `client.py` becomes a module of the package, with its `public.py` as the module's `__init__`. The
files are copied; only the names of our top-level packages get the package's name in front, so that it can be installed
beside this project or another one of this template. In the package `framework.seam.remote` is
framework/client/remote.py, for which every domain is remote.
"""

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import grimp
from django.conf import settings

ROOT = settings.BASE_DIR
DOMAIN = ("entities", "rules", "client", "fake")  # beside public.py
TOP = "framework.client"  # the package's own __init__
SEAM, CLIENT = "framework.seam.remote", "framework.client.remote"  # the package has the second in place of the first
_IMPORT = re.compile(r"^(\s*from )(?:apps\.|(?=(?:framework|protos)\b))", re.MULTILINE)
_MESSAGES = re.compile(r"(?<=')(?=protos\.[\w.]+_pb2')")  # protoc notes the module of its messages
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
    """The distribution's name, as it is installed."""
    return f"{settings.PROJECT_SLUG}-client"


def package() -> str:
    """The name it is imported by."""
    return name().replace("-", "_")


def build(folder: Path) -> Path:
    """Write the wheel into the folder, and return its path.

    Raises CalledProcessError when hatchling cannot build it; hatchling's message is on stderr.
    """
    with tempfile.TemporaryDirectory() as staging:
        write(Path(staging))
        command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder.resolve())]
        subprocess.run(command, cwd=staging, check=True)
    return folder / f"{package()}-{settings.CLIENT_VERSION}-py3-none-any.whl"


def write(folder: Path) -> None:
    """Write what the wheel is built from: pyproject.toml and the package."""
    for target, source in _files():
        path = folder / package() / target
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(prefixed(source.read_text(), package()))
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
    """The package's dependencies: generated code refuses runtimes older than itself, and accepts newer ones."""
    generated = "".join(path.read_text() for path in sorted(ROOT.glob("protos/**/*_pb2*.py")))
    protobuf = re.findall(r"# Protobuf Python Version: (\S+)", generated)
    grpcio = re.findall(r"GRPC_GENERATED_VERSION = '(\S+)'", generated)
    common = version("googleapis-common-protos")
    return f"grpcio>={grpcio[0]}", f"protobuf>={protobuf[0]}", f"googleapis-common-protos>={common}"


def prefixed(source: str, package: str) -> str:
    """The module's text with `package` in front of the names of our modules; `apps.catalog` is its `catalog`."""
    text = _IMPORT.sub(rf"\1{package}.", source.replace(CLIENT, SEAM))
    return _MESSAGES.sub(f"{package}.", text)


def _files() -> Iterator[tuple[Path, Path]]:
    """Of each module, its path inside of the package, and the file that is copied there."""
    yield Path("__init__.py"), _file(TOP)
    for domain in _domains():
        yield Path(domain, "__init__.py"), ROOT / "apps" / domain / "public.py"
        yield from ((Path(domain, path.name), path) for path in _domain_files(domain))
    for path in [*ROOT.glob("protos/**/*.py"), *ROOT.glob("protos/**/*.pyi")]:
        yield path.relative_to(ROOT), path
    for module in _framework_modules():
        yield _file(module).relative_to(ROOT), _file(CLIENT if module == SEAM else module)


def _domains() -> list[str]:
    return sorted(path.parent.name for path in ROOT.glob("apps/*/client.py"))


def _domain_files(domain: str) -> list[Path]:
    files = [ROOT / "apps" / domain / f"{name}.py" for name in DOMAIN]
    return [path for path in files if path.exists()]


def _framework_modules() -> set[str]:
    """The modules of the framework that the package's modules import, directly or through each other."""
    graph = grimp.build_graph("apps", "framework", cache_dir=None)
    todo = {TOP, *(f"apps.{domain}.{name}" for domain in _domains() for name in ("public", *DOMAIN))} & graph.modules
    found: set[str] = set()
    while todo:
        module = todo.pop()
        found.add(module)
        imported = graph.find_modules_directly_imported_by(CLIENT if module == SEAM else module)
        packages = {module.rpartition(".")[0]}
        todo |= {SEAM if name == CLIENT else name for name in imported | packages if _is_framework(name)} - found
    return set(filter(_is_framework, found)) - {TOP}


def _is_framework(module: str) -> bool:
    return f"{module}.".startswith("framework.")


def _file(module: str) -> Path:
    folder = ROOT.joinpath(*module.split("."))
    return folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py")
