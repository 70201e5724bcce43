"""The files of a domain, from the templates: Django's own, in which a tag alone on its line takes the line with it."""

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from django.template import Context, Engine
from graphql.pyutils import snake_to_camel

from tools.new import names
from tools.new.model import Model

TEMPLATES = Path(__file__).parent / "templates"
# The files that a door needs; the rest is needed by all.
DOORS = {
    "graphql": ("schema.py", "tests/test_schema.py"),
    "grpc": (
        "client.py",
        "rpc.py",
        "tests/client_example.py",
        "tests/test_contract.py",
        "tests/test_rpc.py",
    ),
    "admin": ("admin.py", "tests/test_admin.py"),
}
_ALONE = re.compile(r"^[ \t]*(\{%.*?%\})\n", re.MULTILINE)
_ENGINE = Engine(autoescape=False)


def files(model: Model) -> dict[PurePosixPath, str]:
    """The text of each file by its path from the root."""
    context = _context(model)
    return {path: _render(template, context) for path, template in _templates(model)}


def _templates(model: Model) -> Iterator[tuple[PurePosixPath, Path]]:
    left_out = {name for door, owned in DOORS.items() if door not in model.doors for name in owned}
    for template in sorted((TEMPLATES / "app").glob("**/*.txt")):
        name = template.relative_to(TEMPLATES / "app").as_posix().removesuffix(".txt")
        if name not in left_out:
            yield PurePosixPath("apps", model.domain, name), template
    yield PurePosixPath("apps", model.domain, "migrations", "__init__.py"), TEMPLATES / "empty.txt"
    if "grpc" in model.doors:
        root = PurePosixPath("protos", model.domain)
        yield root / "__init__.py", TEMPLATES / "empty.txt"
        yield root / "v1" / "__init__.py", TEMPLATES / "empty.txt"
        yield root / "v1" / f"{model.domain}.proto", TEMPLATES / "proto" / "proto.txt"


def _render(template: Path, context: dict[str, Any]) -> str:
    text = _ALONE.sub(r"\1", template.read_text())
    return str(_ENGINE.from_string(text).render(Context(context, autoescape=False)))


def _context(model: Model) -> dict[str, Any]:
    columns = " ".join(field.column for field in model.fields)
    return {
        "model": model,
        "config": names.camel(model.domain),
        "label": model.words.capitalize(),
        "index": f"{model.domain}_{model.one}"[:23] + "_newest",
        "grpc": "grpc" in model.doors,
        "uses": {name: name in columns for name in ("TEXT", "INTEGER", "UUID", "URL")},
        "imports": _imports(model),
        "gql": {"one": graphql(model.one), "many": graphql(model.many), "fields": list(_fields(model))},
        "sent": [(graphql(field.name), field) for field in model.fields],
        "graphql": "graphql" in model.doors,
    }


def _imports(model: Model) -> list[str]:
    """What the contract imports beside what every contract does."""
    kinds = {field.proto.removeprefix("optional ") for field in model.fields} | {
        "google.protobuf.Timestamp",
        "google.protobuf.FieldMask",
    }
    known = {"google.protobuf.FieldMask": "field_mask", "google.protobuf.Timestamp": "timestamp"}
    return sorted(
        f"{kind.rpartition('.')[0].replace('.', '/')}/{known.get(kind, kind.rpartition('.')[2].lower())}.proto"
        for kind in kinds
        if kind.startswith("google.")
    )


def _fields(model: Model) -> Iterator[str]:
    for field in model.fields:
        yield graphql(field.name)
        if field.currency:
            yield graphql(field.currency)


def graphql(name: str) -> str:
    """As GraphQL spells it."""
    return snake_to_camel(name, upper=False)
