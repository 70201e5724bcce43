"""Names that a domain, a model or a field cannot have, each with the cure."""

import builtins
import keyword
import re

RESERVED = {
    "id": "every model has one",
    "version": "every model has one",
    "created_at": "every model has one",
    "updated_at": "every model has one",
    "pk": "Django's word for the primary key",
    "objects": "Django's word for the manager",
    "count": "a method of the entity, which is a tuple",
    "index": "a method of the entity, which is a tuple",
    "check": "a method of Django's models",
    "clean": "a method of Django's models",
    "delete": "a method of Django's models",
    "full_clean": "a method of Django's models",
    "save": "a method of Django's models",
    "currency": "the currency of an amount has this name",
    "date": "the entity's annotations have the name",
    "datetime": "the entity's annotations have the name",
    "timedelta": "the entity's annotations have the name",
    "actor": "services call the caller so",
    "changes": "services call the new values so",
    "draft": "services call a new entity so",
}
PROTO = {
    "bool", "bytes", "double", "enum", "float", "int32", "int64", "map", "message", "oneof", "option", "returns",
    "rpc", "service", "string", "syntax"
}  # fmt: skip
DOMAINS = {
    "admin": "the admin's label",
    "auth": "the label of Django's own users",
    "grpc": "the name of an installed package",
    "queue": "the label of the framework's queue",
    "sessions": "the label of Django's sessions",
    "sites": "the label of a Django app",
}
TYPES = {
    "Query", "Mutation", "Subscription", "Connection", "Page", "PageInfo", "Decimal", "DateTime", "Date", "Actor",
    "Service", "Client", "Server", "Any", "String", "Int", "Float", "Boolean", "ID", "Info", "Unset", "Keyset"
}  # fmt: skip


class NameRefused(ValueError):
    """The message names the cause and the cure."""


def check_domain(name: str) -> None:
    """Raises NameRefused."""
    if not re.fullmatch(r"[a-z][a-z0-9]{1,29}", name):
        raise NameRefused(f"{name!r} cannot be a domain: use 2 to 30 lower-case letters and digits, as in billing.")
    _refuse_words(name, "domain")
    if name in DOMAINS:
        raise NameRefused(f"{name!r} cannot be a domain: it is {DOMAINS[name]}. Choose another, as in {name}desk.")


def check_model(name: str) -> None:
    """Raises NameRefused."""
    if not re.fullmatch(r"([A-Z][a-z0-9]+){1,4}", name) or len(name) > 40:
        raise NameRefused(f"{name!r} cannot be a model: write it as in Invoice or InvoiceLine, in the singular.")
    if name in TYPES or hasattr(builtins, name):
        raise NameRefused(f"{name!r} cannot be a model: the code uses that name. Choose another, as in Own{name}.")
    if _is_plural(name):
        raise NameRefused(f"{name!r} cannot be a model: it looks like a plural. Name one of the things, as in Invoice.")


def check_field(name: str) -> None:
    """Raises NameRefused."""
    if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z][a-z0-9]*)*", name) or len(name) > 40:
        raise NameRefused(f"{name!r} cannot be a field: use lower-case words joined by _, as in paid_at.")
    if name in RESERVED:
        raise NameRefused(f"{name!r} cannot be a field: {RESERVED[name]}. Choose another, as in own_{name}.")
    _refuse_words(name, "field")
    if re.search(r"_(ids?|currency)$", name):
        stem = name.rpartition("_")[0]
        raise NameRefused(
            f"{name!r} cannot be a field: _id is added to references and _currency to amounts by the generator."
            f" Write {stem}:domain.Model or {stem}:money."
        )


def check_function(name: str, what: str) -> None:
    """A task, URL or command. Raises NameRefused."""
    if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z][a-z0-9]*)*", name) or len(name) > 40:
        raise NameRefused(f"{name!r} cannot be a {what}: use lower-case words joined by _, as in send_mails.")
    _refuse_words(name, what)


def check_member(name: str) -> None:
    """A value of an enum. Raises NameRefused."""
    if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z][a-z0-9]*)*", name) or len(name) > 40:
        raise NameRefused(f"{name!r} cannot be a value of an enum: use lower-case words joined by _, as in half_paid.")
    if name in ("unspecified", "name", "value", "mro", "true", "false", "null", "none") or hasattr(str, name):
        raise NameRefused(f"{name!r} cannot be a value of an enum: Python, GraphQL or protobuf uses the word.")


def snake(name: str) -> str:
    """`InvoiceLine` -> `invoice_line`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def camel(name: str) -> str:
    """`paid_at` -> `PaidAt`."""
    return "".join(word.capitalize() for word in name.split("_"))


def plural(name: str) -> str:
    """`category` -> `categories`: what lists and batch functions are called by."""
    if re.search(r"[^aeiou]y$", name):
        return f"{name[:-1]}ies"
    return f"{name}es" if re.search(r"(s|x|z|ch|sh)$", name) else f"{name}s"


def _is_plural(name: str) -> bool:
    return name.endswith("s") and not name.endswith(("ss", "us", "is"))


def _refuse_words(name: str, what: str) -> None:
    if keyword.iskeyword(name) or keyword.issoftkeyword(name) or hasattr(builtins, name) or name in PROTO:
        other = f"own_{name}" if what == "field" else f"{name}desk"
        raise NameRefused(f"{name!r} cannot be a {what}: Python or protobuf has the word. Choose another, as {other}.")
