"""A new field in each layer of a domain that is there: model, entities, contract, admin and the tests' data."""

import re
from pathlib import Path

from tools.new import render, source
from tools.new.model import Field, Model
from tools.new.spec import SpecRefused

_AFTER = ("version", "created_at", "updated_at")  # stand last in generated models and entities


def texts(root: Path, model: Model) -> dict[str, str]:
    """The text of each file of the model's domain that the fields change. Raises SpecRefused, and writes nothing."""
    made = render.files(model)
    names = (*_PYTHON, f"tests/test_{model.one}_contract.py")
    found = {f"apps/{model.domain}/{name}": _text(root, model, name, made) for name in names}
    proto = f"protos/{model.domain}/v1/{model.domain}.proto"
    found[proto] = _proto((root / proto).read_text(), model, made[proto]) if (root / proto).exists() else None
    return {path: text for path, text in found.items() if text is not None}


def check(field: Field) -> None:
    """Raises SpecRefused for what cannot come to a table that the release before still writes."""
    if field.members or field.currency or field.target:
        what = "an enum" if field.members else "an amount" if field.currency else "a reference"
        raise SpecRefused(f"{field.name}: {what} is added by hand: docs/add-a-field.md. Or put it into a new model.")
    if field.unique:
        raise SpecRefused(
            f"{field.name}: a unique column locks the table while it is added. Add it without !, fill it,"
            " then add the constraint as docs/migrations.md says."
        )
    if not field.optional:
        raise SpecRefused(f"{field.name}: there are rows without it: add ? or a default, as in {field.name}:str?")


def column(field: Field) -> str:
    """With a default in the database, for the release before, which does not know the field."""
    if field.default is None:
        return field.column
    return f"{field.column[:-1]}, db_default={field.default_source})"


def _text(root: Path, model: Model, name: str, made: dict[str, str]) -> str | None:
    """The new text of a module of the domain; None when it is not there, or says nothing of the model."""
    path = f"apps/{model.domain}/{name}"
    if not (root / path).exists():
        return None
    old = text = (root / path).read_text()
    for field in model.fields:
        text = _PYTHON.get(name, _in_tests)(text, model, field) or text
    return (
        source.with_imports(text, made.get(path) or made[f"apps/{model.domain}/tests/test_contract.py"])
        if text != old
        else None
    )


def _in_models(text: str, model: Model, field: Field) -> str:
    new = source.with_line(text, model.name, f"{field.name} = {column(field)}", _AFTER)
    if new is None:
        raise SpecRefused(f"apps/{model.domain}/models.py: there is no class {model.name}.")
    return new


def _in_entities(text: str, model: Model, field: Field) -> str:
    new = source.with_line(text, model.name, f"{field.name}: {field.python}", _AFTER)
    if new is None:
        raise SpecRefused(f"apps/{model.domain}/entities.py: there is no class {model.name}. Add the field by hand.")
    draft = f"{field.name}: {field.python} = {field.default_source}"
    new = source.with_line(new, f"{model.name}Draft", draft) or new
    return source.with_line(new, f"{model.name}Changes", f"{field.name}: {field.changes} = UNSET") or new


def _in_admin(text: str, model: Model, field: Field) -> str | None:
    return source.with_entries(text, "fields", [f'"{field.name}"'], f"{model.name}Admin")


def _in_factories(text: str, model: Model, field: Field) -> str | None:
    return source.with_line(text, f"{model.name}Factory", f"{field.name} = {field.samples[0]}", _AFTER[1:])


def _in_tests(text: str, model: Model, field: Field) -> str | None:
    """The contract's test sends it through every door."""
    draft = re.search(rf"^DRAFT = {model.name}Draft\(", text, re.MULTILINE)
    return source.with_entries(text, "DRAFT", [f"{field.name}={field.samples[0]}"]) if draft else None


def _in_demo(text: str, model: Model, field: Field) -> str:
    """Each row shows another value than the default."""
    shown = next(value for value in field.samples if value != field.default_source)
    return re.sub(rf"\b{model.name}Draft\((?=\s*\w+=)", lambda found: f"{found[0]}{field.name}={shown}, ", text)


_PYTHON = {
    "demo.py": _in_demo,
    "models.py": _in_models,
    "entities.py": _in_entities,
    "admin.py": _in_admin,
    "tests/factories.py": _in_factories,
    "tests/test_contract.py": _in_tests,
}


def _proto(text: str, model: Model, made: str) -> str | None:
    found = re.search(rf"^message {model.name} {{\n(.*?)^}}", text, re.MULTILINE | re.DOTALL)
    if not found:
        return None
    number = max(map(int, re.findall(r"\b(\d+)(?=[;, \]])", re.sub(r"//.*", "", found[1]))), default=0)
    lines = (f"  {field.proto} {field.name} = {number + index};\n" for index, field in enumerate(model.fields, 1))
    text = text[: found.end(1)] + "".join(lines) + text[found.end(1) :]
    return with_imports(text, made)


def with_imports(text: str, made: str) -> str:
    """The contract with the imports of `made`, too."""
    old, new = (re.search(r"(^import .*\n)+", each, re.MULTILINE) for each in (text, made))
    if not old or not new:
        return text
    lines = sorted({*old[0].splitlines(keepends=True), *new[0].splitlines(keepends=True)})
    return text[: old.start()] + "".join(lines) + text[old.end() :]
