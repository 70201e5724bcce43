"""A model and its fields, as the templates ask for them."""

from collections.abc import Iterable
from typing import NamedTuple

from tools.new import names
from tools.new.types import KINDS, Kind

DOORS = ("graphql", "grpc", "admin")
USER = "accounts.User"


class Field(NamedTuple):
    """One field of a model; an amount has its currency in a field beside it."""

    name: str  # as the entity calls it: customer_id for a reference
    type: str
    model: str  # the model it belongs to
    members: tuple[str, ...] = ()  # of an enum
    target: str = ""  # of a reference: accounts.User
    unique: bool = False
    nullable: bool = False
    default: str | None = None
    currency: str = ""  # of an amount: the name of its currency's field

    @property
    def kind(self) -> Kind:
        return KINDS[self.type]

    @property
    def enum(self) -> str:
        return f"{self.model}{names.camel(self.name)}" if self.members else ""

    @property
    def python(self) -> str:
        return (self.enum or self.kind.python) + (" | None" if self.nullable else "")

    @property
    def optional(self) -> bool:
        """Whether a new entity may leave it out."""
        return self.nullable or self.default is not None

    @property
    def default_source(self) -> str:
        if self.default is None:
            return "None"
        if self.enum:
            return f"{self.enum}.{self.default.upper()}"
        return {"bool": str(self.default == "true"), "int": self.default}.get(self.type) or self._typed_default

    @property
    def _typed_default(self) -> str:
        return f'Decimal("{self.default}")' if self.type in ("decimal", "money") else f'"{self.default}"'

    @property
    def column(self) -> str:
        """The model's field."""
        name, _, given = self.kind.column.partition("(")
        return f"models.{name}({', '.join(filter(None, (given, *self._options())))})"

    def _options(self) -> Iterable[str]:
        if self.target:
            yield f'help_text="Of {self.target.partition(".")[0]}."'
        if self.enum:
            yield f"choices=[(item.value, item.name.replace('_', ' ').capitalize()) for item in {self.enum}]"
        if self.unique:
            yield "unique=True"
        if self.nullable:
            yield "null=True, blank=True"
        elif self.type == "text" or self.default == "":
            yield "blank=True"
        if self.default is not None:
            yield f"default={self.enum + '.' + self.default.upper() + '.value' if self.enum else self.default_source}"

    @property
    def proto(self) -> str:
        """The field's type in the contract, with `optional` where absence has to be told from a value."""
        kind = self.enum or self.kind.proto
        presence = self.nullable or (self.default not in (None, "", "false", "0") and not self.enum)
        return f"optional {kind}" if presence and "google" not in kind else kind

    @property
    def changes(self) -> str:
        """Its type where it may be left out."""
        return f"{self.python.removesuffix(' | None')} | Unset{' | None' if self.nullable else ''}"

    @property
    def nth(self) -> str:
        """A factory's declaration of a value that is another in each row."""
        number = {
            "int": "number",
            "reference": "number",
            "decimal": "Decimal(number)",
            "date": "date(2026, 1, 1) + timedelta(days=number)",
            "datetime": "datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=number)",
            "email": 'f"user{number}@example.com"',
            "url": 'f"https://example.com/{number}"',
            "uuid": 'f"00000000-0000-4000-8000-{number:012}"',
        }
        return f"factory.Sequence(lambda number: {number.get(self.type, self._nth_text)})"

    @property
    def _nth_text(self) -> str:
        return f'f"{self.name.upper()}-{{number:05}}"'

    @property
    def enum_prefix(self) -> str:
        """What the values of its enum begin with in the contract."""
        return f"{names.snake(self.enum).upper()}_"

    @property
    def samples(self) -> tuple[str, ...]:
        """Two values, as Python source."""
        return tuple(f"{self.enum}.{member.upper()}" for member in self._two_members) or self.kind.samples

    @property
    def sent(self) -> tuple[str, ...]:
        """The same, as a client of GraphQL writes them."""
        return tuple(f'"{member.upper()}"' for member in self._two_members) or self.kind.sent

    @property
    def _two_members(self) -> tuple[str, ...]:
        return (self.members[0], self.members[-1]) if self.members else ()


class Model(NamedTuple):
    """One model of a domain."""

    domain: str
    name: str
    fields: tuple[Field, ...]
    doors: tuple[str, ...] = DOORS

    @property
    def one(self) -> str:
        return names.snake(self.name)

    @property
    def many(self) -> str:
        return names.plural(self.one)

    @property
    def const(self) -> str:
        return self.one.upper()

    @property
    def words(self) -> str:
        return self.one.replace("_", " ")

    @property
    def words_many(self) -> str:
        return self.many.replace("_", " ")

    @property
    def names_many(self) -> str:
        return names.camel(self.many)

    @property
    def required(self) -> list[Field]:
        return [field for field in self.fields if not field.optional]

    @property
    def may_be_left_out(self) -> list[Field]:
        return [field for field in self.fields if field.optional]

    @property
    def amounts(self) -> list[Field]:
        return [field for field in self.fields if field.currency]

    @property
    def enums(self) -> list[Field]:
        return [field for field in self.fields if field.enum]

    @property
    def unique(self) -> list[Field]:
        return [field for field in self.fields if field.unique]

    @property
    def users(self) -> list[Field]:
        """The fields that hold a user's id."""
        return [field for field in self.fields if field.target == USER]

    @property
    def title(self) -> Field | None:
        """The text that names a row in the admin."""
        return next((field for field in self.fields if field.type == "str" and not field.nullable), None)

    @property
    def changed(self) -> Field:
        """The field that tests change."""
        return next((field for field in self.fields if len(set(field.members)) != 1), self.fields[0])

    @property
    def article(self) -> str:
        return "an" if self.one[0] in "aeiou" else "a"
