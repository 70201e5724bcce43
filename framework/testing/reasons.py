"""The reasons that code raises, read from it: to be compared with those that are declared."""

import ast
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from framework import reasons
from framework.errors import BY_CODE, DomainError

ERRORS = {"DomainError", *(error.__name__ for error in BY_CODE.values())}


def raised(folder: Path) -> dict[str, str]:
    """Each reason with a place where an error is made with it. One that is no literal is itself in the place of it."""
    files = (path for path in sorted(folder.rglob("*.py")) if "tests" not in path.relative_to(folder).parts)
    return {reason: f"{path.name}:{line}" for path in files for reason, line in _of(ast.parse(path.read_text()))}


def _of(tree: ast.Module) -> Iterator[tuple[str, int]]:
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and _name(call.func) in ERRORS:
            for given in call.keywords:
                if given.arg == "reason":
                    literal = isinstance(given.value, ast.Constant)
                    yield str(given.value.value) if literal else ast.unparse(given.value), call.lineno  # type: ignore[attr-defined]


def _name(function: ast.expr) -> str:
    return getattr(function, "id", getattr(function, "attr", ""))


def differences(package: str) -> list[str]:
    """Where what a domain raises and what REASONS of its `rules.py` declares differ."""
    declared = {reason for own in reasons.declared().get(package, {}).values() for reason in own}
    found = raised(Path(str(import_module(package).__file__)).parent)
    return [
        *(f"{found[name]} raises {name}, which REASONS of {package}.rules lacks" for name in found.keys() - declared),
        *(f"REASONS of {package}.rules has {name}, which nothing raises" for name in declared - found.keys()),
    ]


def check_declared(function: Callable[..., Any], error: DomainError) -> None:
    """Fail when a function of a domain refuses for a reason that it does not declare."""
    package = function.__module__.rpartition(".")[0]
    own = reasons.declared().get(package, {}).get(function.__name__, ())
    if error.reason not in (*own, *reasons.ANY):
        declare = f"declare it in REASONS of {package}.rules"
        raise AssertionError(f"{function.__name__} raised {error.reason}: {declare}") from error
