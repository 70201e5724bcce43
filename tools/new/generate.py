"""Writes a new domain into the tree, and all that is made from it: contracts, migration, documents, schema."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tools import programs
from tools.management.commands import protos
from tools.new.journal import Journal
from tools.new.spec import SpecRefused

SHARED = (".env.example", "docs/settings.md", "project/access.md", "project/env.py", "project/schema.graphql")
_DOMAINS = re.compile(r"(    domains: CommaSeparated = Field\(\n        )\((.*?)\),\n", re.DOTALL)
_DERIVE = """
import sys, django
django.setup()
from django.core.management import call_command
for line in sys.argv[1:]:
    call_command(*line.split())
"""
WRITE_ACCESS = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "project/tests/test_access.py", "--write-access")


def with_domain(source: str, domain: str) -> str:
    """The text of project/env.py with the domain in the default of DOMAINS. Raises SpecRefused for another shape."""
    found, domains = _domains(source)
    return _with_domains(source, found, [*domains, domain])


def without_domain(source: str, domain: str) -> str:
    """The same without it. Raises SpecRefused as well."""
    found, domains = _domains(source)
    return _with_domains(source, found, [name for name in domains if name != domain])


def _domains(source: str) -> tuple[re.Match[str], list[str]]:
    found = _DOMAINS.search(source)
    if not found:
        raise SpecRefused("project/env.py: the default of DOMAINS is no tuple of names. Write it so, then try again.")
    return found, re.findall(r'"([^"]+)"', found[2])


def _with_domains(source: str, found: re.Match[str], domains: list[str]) -> str:
    names = ", ".join(f'"{name}"' for name in domains)
    return f"{source[: found.start(2)]}{names}{',' if len(domains) == 1 else ''}{source[found.end(2) :]}"


def write(root: Path, name: str, domain: str, texts: Mapping[str, str], journal: Journal) -> dict[str, str | None]:
    """Write the texts and all that is made from them; what each changed file was, None for new ones.

    What fails is taken back before it is raised.
    """
    before = _snapshot(root, domain)
    try:
        for path, text in texts.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text)
        if any(path.endswith(("/models.py", ".proto")) for path in texts):
            _generate(root, domain)
        elif any(path.endswith("/urls.py") for path in texts):  # its routes stand in the table of who may do what
            _run(root, sys.executable, *WRITE_ACCESS)
    except BaseException:
        journal.restore(_changed(before, _snapshot(root, domain)))
        raise
    changed = _changed(before, _snapshot(root, domain))
    journal.push(name, changed)
    return changed


def tidied(root: Path, path: str, text: str) -> str:
    """Python as `./run fix` leaves it. Raises RuntimeError with what ruff said."""
    if not path.endswith(".py"):
        return text
    ruff, name = programs.path("ruff"), ("--quiet", f"--stdin-filename={path}", "-")
    text = _run(root, ruff, "check", "--fix", "--exit-zero", "--select=F401,I,RUF022", *name, text=text)
    return _run(root, ruff, "format", *name, text=text)


def _generate(root: Path, domain: str) -> None:
    """Generate what is made from what was written. Raises RuntimeError with what the program said."""
    if (root / "protos" / domain).exists():
        protos.generate(root)
    derive(root, f"makemigrations {domain} --no-header --verbosity=0", "settings_docs", "schema_check --write")


def derive(root: Path, *commands: str) -> None:
    """Run commands of manage.py in the tree as it is now. Raises RuntimeError with what they said."""
    _run(root, sys.executable, "-c", _DERIVE, *commands)
    if "schema_check --write" in commands:
        _run(root, sys.executable, *WRITE_ACCESS)


def _run(root: Path, *command: str, text: str = "") -> str:
    environ = os.environ | {"DEBUG": "1", "DJANGO_SETTINGS_MODULE": "project.settings"}
    environ.pop("DOMAINS", None)
    done = subprocess.run(command, cwd=root, env=environ, capture_output=True, text=True, input=text, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[:1] + command[3:])}:\n{done.stdout}{done.stderr}")
    return done.stdout


def _snapshot(root: Path, domain: str) -> dict[str, str]:
    """The text of each file that a generation can write, by its path."""
    folders = (root / "apps" / domain, root / "protos" / domain)
    files = [path for folder in folders for path in folder.rglob("*") if "__pycache__" not in path.parts]
    files += [root / path for path in SHARED]
    return {path.relative_to(root).as_posix(): path.read_text() for path in files if path.is_file()}


def _changed(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, str | None]:
    return {path: before.get(path) for path in {**before, **after} if before.get(path) != after.get(path)}
