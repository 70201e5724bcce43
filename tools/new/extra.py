"""A task, a URL or a command of a domain, with its test: merged into the files that are there."""

import re
from pathlib import Path

from tools.new import names, render, source
from tools.new.spec import SpecRefused

KINDS = ("task", "url", "command")


def texts(root: Path, kind: str, target: str) -> dict[str, str]:
    """The text of each file, by its path. Raises SpecRefused, NameRefused."""
    domain, _, name = target.partition(".")
    names.check_function(name, kind)
    folder = render.TEMPLATES / kind
    found = {}
    for template in sorted(folder.glob("**/*.txt")):
        place = template.relative_to(folder).as_posix().removesuffix(".txt").replace("NAME", name)
        made = render.text(template, {"domain": domain, "name": name})
        path = f"apps/{domain}/{place}"
        found[path] = _merged(root / path, made, name) if (root / path).exists() else made
    return found


def _merged(file: Path, made: str, name: str) -> str:
    old = file.read_text()
    if file.stem in (name, f"test_{name}") or re.search(rf"^def (test_)?{name}\b", old, re.MULTILINE):
        raise SpecRefused(f"There is {name!r} in {file.name} already: choose another name.")
    return source.merged(old, made) if made else old
