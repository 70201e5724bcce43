"""A further model in a domain that is there: its files as those of a new domain, merged into those."""

import re
from pathlib import Path

from tools.new import field, render, source
from tools.new.model import Model
from tools.new.spec import SpecRefused

# One a domain: loading demo data, the test that every method needs a token.
_ONCE = ("apps.py", "__init__.py", "demo.py", "tests/__init__.py", "tests/test_demo.py", "tests/test_rpc.py")
# Names that each model's files have alike; the further model's get its name in front.
_NAMES = re.compile(
    r"(?<![\w\"'.])(_COLUMNS|_ALL|_BY_IDS|_UNIQUE|_unique_values_are_free|_entity|INPUT|fill(?=\(|}))\b"
    r"|((?<=rules\.)|(?<=^def )|^)(VIEW|ADD|CHANGE|not_found|stale|taken)\b",
    re.MULTILINE,
)


def texts(root: Path, model: Model) -> dict[str, str]:
    """The text of each file that is new or changes. Raises SpecRefused, and writes nothing."""
    found = {}
    for path, made in render.files(model).items():
        place = path.removeprefix(f"apps/{model.domain}/")
        if place not in _ONCE and not re.search(r"^protos/.*__init__|^migrations/", place):
            # Tests of the model are files of their own.
            target = path.replace("/tests/test_", f"/tests/test_{model.one}_")
            found[target] = made if target != path else _merged(root, path, _renamed(made, model))
    return found


def _merged(root: Path, path: str, made: str) -> str:
    if not (root / path).exists():
        raise SpecRefused(f"{path} is not there, which the model needs: make it, or leave its door out by --doors.")
    old = (root / path).read_text()
    if path.endswith(".proto"):
        return _proto(old, made)
    if path.endswith("client_example.py"):
        return source.with_imports(old, made) + made.partition("from_env()\n")[2]
    return source.merged(old, made)


def _renamed(made: str, model: Model) -> str:
    """`ADD` -> `INVOICE_ADD`, `_entity` -> `_invoice_entity`."""

    def own(found: re.Match[str]) -> str:
        prefix = model.const if found[0].isupper() else model.one
        return f"_{prefix}{found[0]}" if found[0].startswith("_") else f"{prefix}_{found[0]}"

    return _NAMES.sub(own, made)


def _proto(text: str, made: str) -> str:
    """The contract with the methods, enums and messages of `made`, too."""
    (methods,) = re.findall(r"^service \w+ {\n(.*?)^}\n", made, re.MULTILINE | re.DOTALL)
    messages = re.findall(r"^(?:enum|message) \w+ {.*?}\n(?=\n|\Z)", made, re.MULTILINE | re.DOTALL)
    end = re.search(r"^service \w+ {\n.*?(?=^}\n)", text, re.MULTILINE | re.DOTALL)
    place = end.end() if end else len(text)
    return field.with_imports("\n".join([f"{text[:place]}\n{methods}{text[place:]}", *messages]), made)
