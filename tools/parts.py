"""What can be taken out of a product, and all that names it: its domains, and the parts of tools/parts.toml."""

import re
import shutil
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tools.new.generate import without_domain

PARTS: dict[str, dict[str, Any]] = tomllib.loads(Path(__file__).with_suffix(".toml").read_text())
ENV = "project/env.py"


def present(root: Path) -> list[str]:
    """The names that can be removed from the tree."""
    domains = {path.parent.name for path in (root / "apps").glob("*/apps.py")} - {"accounts"}
    return sorted(domains | {name for name in PARTS if any(_exists(root, part) for part in _with(name))})


def with_dependents(root: Path, names: Iterable[str]) -> list[str]:
    """The names and what goes with them, as far as it is there."""
    found = dict.fromkeys(part for name in names for part in _with(name))
    return [name for name in found if _exists(root, name)]


def texts_without(root: Path, names: Iterable[str]) -> dict[str, str]:
    """The new text of each file that named one of them, by its path; the files that go are not among these."""
    found: dict[str, str] = {}
    gone = {path for name in names for path in _paths(name)}
    for name in names:
        if (root / "apps" / name).is_dir():
            found[ENV] = without_domain(found.get(ENV, (root / ENV).read_text()), name)
        for path, edits in PARTS.get(name, {}).get("edits", {}).items():
            if (root / path).exists() and not gone.intersection((path, *map(str, Path(path).parents))):
                old = found.get(path, (root / path).read_text())
                found[path] = _edited(old, edits)
    return {path: text for path, text in found.items() if text != (root / path).read_text()}


def remove(root: Path, names: Iterable[str]) -> None:
    """Delete the folders and files of the parts, and write what named them."""
    texts = texts_without(root, names)
    for path in folders(root, names):
        target = root / path
        shutil.rmtree(target) if target.is_dir() else target.unlink()
    for path, text in texts.items():
        (root / path).write_text(text)


def folders(root: Path, names: Iterable[str]) -> list[str]:
    """The folders and files that go."""
    return [path for name in names for path in _paths(name) if (root / path).exists()]


def _with(name: str) -> Iterator[str]:
    yield name
    for other in PARTS.get(name, {}).get("with", ()):
        yield from _with(other)


def _paths(name: str) -> tuple[str, ...]:
    return (f"apps/{name}", f"protos/{name}", *PARTS.get(name, {}).get("paths", ()))


def _exists(root: Path, name: str) -> bool:
    return bool(folders(root, [name]))


def _edited(text: str, edits: Iterable[tuple[str, str]]) -> str:
    for pattern, replacement in edits:
        text = re.sub(pattern, replacement, text, flags=re.MULTILINE)
    return text
