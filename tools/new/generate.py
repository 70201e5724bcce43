"""Writes a new domain into the tree, and all that is made from it: contracts, migration, documents, schema."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tools import programs
from tools.management.commands import protos
from tools.new import render
from tools.new.journal import Journal
from tools.new.model import Model
from tools.new.spec import SpecRefused

SHARED = (".env.example", "docs/settings.md", "project/access.md", "project/env.py", "project/schema.graphql")
_DOMAINS = re.compile(r"(    domains: CommaSeparated = Field\(\n        )\((.*?)\),\n", re.DOTALL)
_DERIVE = """
import sys, django
django.setup()
from django.core.management import call_command
call_command("makemigrations", sys.argv[1], include_header=False, verbosity=0)
call_command("settings_docs")
call_command("schema_check", write=True)
"""
WRITE_ACCESS = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "project/tests/test_access.py", "--write-access")


def with_domain(source: str, domain: str) -> str:
    """The text of project/env.py with the domain in the default of DOMAINS. Raises SpecRefused for another shape."""
    found = _DOMAINS.search(source)
    if not found:
        raise SpecRefused("project/env.py: the default of DOMAINS is no tuple of names. Write it so, then try again.")
    domains = [*re.findall(r'"([^"]+)"', found[2]), domain]
    names = ", ".join(f'"{name}"' for name in domains)
    return f"{source[: found.start(2) - 1]}({names}{',' if len(domains) == 1 else ''}){source[found.end(2) + 1 :]}"


def write(root: Path, model: Model, journal: Journal) -> list[str]:
    """Write the domain; the paths of what is new. What fails is taken back before it is raised."""
    before = {path: (root / path).read_text() if (root / path).exists() else None for path in SHARED}
    texts = {path.as_posix(): text for path, text in render.files(model).items()}
    try:
        _write(root, texts | {"project/env.py": with_domain((root / "project/env.py").read_text(), model.domain)})
        _derive(root, model)
    except BaseException:
        journal.restore(before | _made(root, model))
        raise
    made = _made(root, model)
    journal.push(f"{model.domain}.{model.name}", before | made)
    return sorted(made)


def _write(root: Path, texts: dict[str, str]) -> None:
    for path, text in texts.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)


def _derive(root: Path, model: Model) -> None:
    """Tidy what was written, and generate the rest. Raises RuntimeError with what the program said."""
    ruff, package = programs.path("ruff"), f"apps/{model.domain}"
    _run(root, ruff, "check", "--quiet", "--fix", "--select", "F401,I,RUF022", package)
    _run(root, ruff, "format", "--quiet", package, "project/env.py")
    if "grpc" in model.doors:
        protos.generate(root)
    _run(root, sys.executable, "-c", _DERIVE, model.domain)
    _run(root, sys.executable, *WRITE_ACCESS)


def _run(root: Path, *command: str) -> None:
    environ = os.environ | {"DEBUG": "1", "DJANGO_SETTINGS_MODULE": "project.settings"}
    environ.pop("DOMAINS", None)
    done = subprocess.run(command, cwd=root, env=environ, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[:4])}:\n{done.stdout}{done.stderr}")


def _made(root: Path, model: Model) -> dict[str, str | None]:
    """The files that the domain has now, as absent before."""
    folders = (root / "apps" / model.domain, root / "protos" / model.domain)
    files = (path for folder in folders for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(root).as_posix(): None for path in files if "__pycache__" not in path.parts}
