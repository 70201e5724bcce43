"""A further model in a domain that is there: its files as those of a new domain, merged into those."""

import re
from pathlib import Path

from tools.new import field, render, source
from tools.new.model import Model
from tools.new.spec import SpecRefused

# One a domain: the test of demo data, the test that every method needs a token.
_ONCE = ("apps.py", "__init__.py", "tests/__init__.py", "tests/test_demo.py", "tests/test_rpc.py")
# Names that each model's files have alike; the further model's get its name in front.
_NAMES = re.compile(
    r"(?<![\w\"'.])(_COLUMNS|_ALL|_BY_IDS|_UNIQUE|_unique_values_are_free|_entity|INPUT|fill(?=\(|}))\b"
    r"|((?<=rules\.)|(?<=^def )|^)(VIEW|ADD|CHANGE|not_found|stale|taken)\b"
    r"|(?<=^def )arguments\b|(?<=test_)schema\b",
    re.MULTILINE,
)


def texts(root: Path, model: Model) -> dict[str, str]:
    """The text of each file that is new or changes. Raises SpecRefused, and writes nothing."""
    found = {}
    _check_hooks(root, model)
    for path, made in render.files(model).items():
        place = path.removeprefix(f"apps/{model.domain}/")
        if place == "demo.py" and not _lists_rows(root / path):
            continue  # the domain has none, or its own way: project/tests/test_fields.py says what is to be added
        if place not in _ONCE and not re.search(r"^protos/.*__init__|^migrations/", place):
            # Tests of the model are files of their own.
            target = path.replace("/tests/test_", f"/tests/test_{model.one}_")
            found[target] = made if target != path else _merged(root, path, _renamed(made, model))
            if place.endswith("access_matrix.py"):
                found[path] = source.with_result(found[path], "arguments", f"| {model.one}_arguments(owner)")
    return found


def _lists_rows(demo: Path) -> bool:
    return demo.exists() and "\nROWS: " in demo.read_text()


def _check_hooks(root: Path, model: Model) -> None:
    """Raises SpecRefused where the hooks for users do not go by the list that the generator extends."""
    services, repository = (root / "apps" / model.domain / f"{name}.py" for name in ("services", "repository"))
    if model.users and "def erase_user" in services.read_text() and "_OF_USERS" not in repository.read_text():
        names = ", ".join(field.name for field in model.users)
        raise SpecRefused(
            f"{names}: erase_user of apps/{model.domain}/services.py was written by hand. Generate the model without"
            " it, add it as docs/add-a-field.md says, and let erase_user and export_user see to it."
        )


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
    if "rpc EraseUser(" in text:
        methods = re.sub(r"\n  //[^\n]*\n  rpc (?:Erase|Export)User.*?\n  }\n", "", methods, flags=re.DOTALL)
    messages = re.findall(r"^(?:enum|message) \w+ {.*?}\n(?=\n|\Z)", made, re.MULTILINE | re.DOTALL)
    messages = [message for message in messages if message.partition("{")[0] not in text]
    end = re.search(r"^service \w+ {\n.*?(?=^}\n)", text, re.MULTILINE | re.DOTALL)
    place = end.end() if end else len(text)
    return field.with_imports("\n".join([f"{text[:place]}\n{methods}{text[place:]}", *messages]), made)
