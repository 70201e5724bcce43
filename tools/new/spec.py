"""What `./run new` is asked for, read from the words of the command line.

    billing.Invoice number:str! total:money customer:accounts.User status:enum(open,paid)=open paid_at:datetime?

`!` after the type is unique, `?` nullable, `=` gives the default. What a type cannot do is refused with the cure.
"""

import re
from collections.abc import Iterable, Sequence
from decimal import Decimal, InvalidOperation

from tools.new import names
from tools.new.model import DOORS, USER, Field, Model
from tools.new.types import KINDS

_FIELD = re.compile(
    r"(?P<name>[^:]*):(?P<type>[A-Za-z_.]+)(\((?P<members>[^()]*)\))?(?P<marks>[!?]*)(=(?P<default>.*))?"
)


class SpecRefused(ValueError):
    """The message names the cause and the cure."""


class _Reader:
    """Reads the fields of one model."""

    def __init__(self, domain: str, model: str, models: Iterable[str]) -> None:
        self._domain = domain
        self._model = model
        self._models = set(models)

    def read(self, word: str) -> Field:
        """Raises SpecRefused, NameRefused."""
        found = _FIELD.fullmatch(word)
        if not found:
            raise SpecRefused(f"{word!r} is no field: write name:type, as in paid_at:datetime? or number:str!")
        names.check_field(found["name"])
        field = Field(found["name"], found["type"], self._model, unique="!" in found["marks"])
        field = field._replace(nullable="?" in found["marks"], default=found["default"])
        field = self._referring(field) if "." in field.type else self._of_kind(field, found["members"])
        return _checked(field)

    def _of_kind(self, field: Field, members: str | None) -> Field:
        if field.type not in KINDS or field.type == "reference":
            known = ", ".join(name for name in KINDS if name != "reference")
            raise SpecRefused(f"{field.name}: there is no type {field.type!r}. Use one of {known}, or domain.Model.")
        if (members is not None) != (field.type == "enum"):
            raise SpecRefused(f"{field.name}: an enum names its values, and nothing else has any: enum(open,paid).")
        return field._replace(members=_members(field.name, members)) if field.type == "enum" else field

    def _referring(self, field: Field) -> Field:
        domain = field.type.partition(".")[0]
        if domain == self._domain:
            raise SpecRefused(
                f"{field.name}: a reference inside of one domain is a ForeignKey, which the generator cannot write yet."
                f" Generate without it, then add it by hand as docs/add-a-field.md says."
            )
        if field.type not in self._models:
            raise SpecRefused(
                f"{field.name}: there is no model {field.type!r}. There are: {', '.join(sorted(self._models))}."
            )
        return field._replace(name=f"{field.name}_id", type="reference", target=field.type)


def parse(target: str, words: Sequence[str], *, models: Iterable[str], doors: str = "") -> Model:
    """The model that is asked for; `models` are those that exist, as in accounts.User.

    Raises SpecRefused, NameRefused.
    """
    domain, _, name = target.partition(".")
    names.check_domain(domain)
    names.check_model(name)
    reader = _Reader(domain, name, models)
    fields = tuple(map(reader.read, words))
    if not fields:
        raise SpecRefused(f"{target}: name at least one field, as in number:str!")
    model = Model(domain, name, _with_currencies(fields), read_doors(doors))
    _check_together(model)
    return model


def parse_fields(target: str, words: Sequence[str], *, models: Iterable[str]) -> Model:
    """New fields for a model that is there. Raises SpecRefused, NameRefused."""
    if target not in models:
        raise SpecRefused(f"There is no model {target!r}. There are: {', '.join(sorted(models))}.")
    return parse(target, words, models=models)


def read_doors(text: str) -> tuple[str, ...]:
    """Raises SpecRefused for a door that does not exist."""
    doors = tuple(filter(None, text.split(","))) or DOORS
    if unknown := set(doors) - set(DOORS):
        raise SpecRefused(f"There is no door {sorted(unknown)[0]!r}. There are: {', '.join(DOORS)}.")
    return doors


def _members(name: str, text: str | None) -> tuple[str, ...]:
    members = tuple(word.strip() for word in (text or "").split(","))
    for member in members:
        names.check_member(member)
    if len(set(members)) < len(members):
        raise SpecRefused(f"{name}: each value of an enum stands once.")
    return members


def _checked(field: Field) -> Field:
    """Raises SpecRefused for what the type cannot do."""
    if field.type == "money" and (field.nullable or field.unique):
        raise SpecRefused(f"{field.name}: an amount cannot be nullable or unique: its currency is a column of its own.")
    if field.unique and field.target == USER and not field.nullable:
        raise SpecRefused(f"{field.name}: rows of erased users would all be 0. Make it nullable, too: {USER}!?")
    if field.unique and field.type in ("bool", "text", "enum", "duration"):
        raise SpecRefused(f"{field.name}: {field.type} cannot be unique. Leave the ! out, or use str.")
    if field.nullable and field.default is not None:
        raise SpecRefused(f"{field.name}: null is the default of a nullable field. Leave out the ? or the default.")
    if field.nullable and field.type == "bool":
        raise SpecRefused(f"{field.name}: a form cannot tell false from null. Use enum(yes,no,unknown), or a default.")
    if field.default is not None and not _fits(field):
        raise SpecRefused(f"{field.name}: {field.default!r} cannot be the default of {field.type}.")
    return field


def _fits(field: Field) -> bool:
    text = field.default or ""
    if field.type in ("decimal", "money"):
        return _is_number(text)
    patterns = {
        "bool": "true|false",
        "int": r"-?(0|[1-9]\d{0,8})",
        "str": r"[^\"\\\x00-\x1f]*",
        "text": r"[^\"\\\x00-\x1f]*",
    }
    if field.type == "enum":
        return text in field.members
    return bool(re.fullmatch(patterns.get(field.type, r"(?!)"), text))


def _is_number(text: str) -> bool:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return False
    return number.is_finite() and 0 <= number < 10**8 and bool(re.fullmatch(r"\d+(\.\d{1,2})?", text))


def _with_currencies(fields: tuple[Field, ...]) -> tuple[Field, ...]:
    """One amount has `currency` beside it; several have one each."""
    alone = sum(field.type == "money" for field in fields) == 1
    return tuple(
        field._replace(currency="currency" if alone else f"{field.name}_currency") if field.type == "money" else field
        for field in fields
    )


def _check_together(model: Model) -> None:
    seen = [field.name for field in model.fields]
    if doubled := {name for name in seen if seen.count(name) > 1}:
        raise SpecRefused(f"{sorted(doubled)[0]}: each field stands once.")
    for field in model.fields:
        if field.name == model.one or field.name == f"{model.one}_id":
            raise SpecRefused(f"{field.name}: a field cannot be called as its model. Choose another name.")
        if "graphql" in model.doors and not field.kind.graphql:
            raise SpecRefused(
                f"{field.name}: GraphQL has no {field.type} yet. Use int, of seconds, or choose --doors grpc,admin"
            )
