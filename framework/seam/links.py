"""Which values of an entity, or arguments of a function, and which field of a message belong together: by name.

What may be missing says the contract: a field is `optional`, or its google.api.field_behavior is OUTPUT_ONLY or
IDENTIFIER, which callers need not send. Amounts are the one pair (`money`). Needs no Django.
"""

from collections.abc import Mapping, Sequence
from types import NoneType
from typing import Any, NamedTuple, NoReturn

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message_factory import GetMessageClass

from framework.seam import money
from framework.seam.conversions import Coders, ContractError, Names, conversion, is_entity, without
from framework.seam.presence import Slot, if_present, kind_of, need_not_be_sent, present, unclear

UNSENDABLE = (ValueError, TypeError, ArithmeticError, LookupError, AttributeError)  # of values that are no such thing


class Invalid(ValueError):
    """Values that cannot be converted, each with what is wrong with it."""

    def __init__(self, fields: Mapping[str, str]) -> None:
        super().__init__(str(fields))
        self.fields = dict(fields)


class Link(NamedTuple):
    """What one field of the message carries, and the expressions that convert it."""

    field: str
    slots: tuple[str, ...]
    encode: str  # over the names of the slots
    decode: tuple[str, ...]  # over the message `m`, one for each slot
    paths: Mapping[str, str]  # where in the message is what the entity calls so


class Owner(NamedTuple):
    """The Python side of a match, for error messages."""

    name: str
    file: str

    def refuse(self, message: Descriptor, problem: str) -> NoReturn:
        raise ContractError(f"{self.name} ({self.file}) and {message.full_name} ({message.file.name}): {problem}")


class Links:
    """The matched fields of one owner and one message, and what is wrong with values that do not convert."""

    def __init__(self, owner: Owner, slots: Sequence[Slot], message: Descriptor, coders: Coders, *, sent: bool) -> None:
        """`sent` says that callers send the message; they need not send what is OUTPUT_ONLY or an IDENTIFIER."""
        self.owner = owner
        self.slots = {slot.name: slot for slot in slots}
        self.message = message
        self.kind = GetMessageClass(message)
        self.names = Names()
        self.found: list[Link] = []
        self._coders = coders
        self._sent = sent

    def match(self) -> None:
        """Link each field with the value of its name. Raises ContractError when one side lacks it, or types differ."""
        for field in self.message.fields:
            if field.name in self.slots:
                self.add(self.slots[field.name], field)
            elif not (self._sent and need_not_be_sent(field)):
                self.owner.refuse(self.message, f"{self.owner.name} has no {field.name!r}, which the message has.")
        self.check_complete()

    def check_complete(self) -> None:
        """Raise ContractError for values that no field carries."""
        carried = {name for link in self.found for name in link.slots}
        for name in self.slots.keys() - carried:
            self.owner.refuse(self.message, f"the message has no field {name!r}: its value would be lost.")

    def add(self, slot: Slot, field: FieldDescriptor) -> None:
        """Link a value with a field; raises ContractError when their types do not fit."""
        base, nullable = without(slot.hint, NoneType)
        if problem := unclear(slot, field, nullable):
            self.owner.refuse(self.message, problem)
        link = self._money if money.is_money(base, field) else self._plain
        self.found.append(link(slot, base, field, nullable))

    def _plain(self, slot: Slot, base: Any, field: FieldDescriptor, nullable: bool) -> Link:
        found = conversion(base, field, self.names, self._coders)
        if found is None:
            problem = f"{slot.name!r} is {_shown(slot.hint)} here and {kind_of(field)} in the message."
            self.owner.refuse(self.message, problem)
        encode = found.encode.format(slot.name)
        if nullable:
            encode = f"(None if {slot.name} is None else {encode})"
        elif self._sent and encode == slot.name:
            encode = f"{self.names.add(present)}({encode})"
        decode = if_present(found.decode.format(f"m.{field.name}"), slot, field, nullable, self.names)
        inner = self._coders(base, field).paths if is_entity(base) else {}
        paths = {name: f"{field.name}.{path}" for name, path in inner.items()} | {slot.name: field.name}
        return Link(field.name, (slot.name,), encode, (decode,), paths)

    def _money(self, slot: Slot, base: Any, field: FieldDescriptor, nullable: bool) -> Link:
        currency = money.currency_of(slot, self.slots)
        if currency is None:
            problem = f"{slot.name!r} needs its currency: '{slot.name}_currency' or 'currency'."
            self.owner.refuse(self.message, problem)
        encode = money.encoder(slot, currency, field, nullable, self.names)
        other = next((link.field for link in self.found if currency.name in link.slots), "")
        amount = money.amount(slot, field, nullable, self.names, like=other)
        if other:
            return Link(field.name, (slot.name,), encode, (amount,), {slot.name: field.name})
        code = money.currency_code(currency, field, self.names)
        paths = {slot.name: field.name, currency.name: f"{field.name}.currency_code"}
        return Link(field.name, (slot.name, currency.name), encode, (amount, code), paths)

    @property
    def paths(self) -> dict[str, str]:
        """Where the message has what each slot holds."""
        return {name: path for link in self.found for name, path in link.paths.items()}

    @property
    def decoders(self) -> dict[str, str]:
        """The expression that reads each slot, in their order."""
        found = {name: text for link in self.found for name, text in zip(link.slots, link.decode, strict=False)}
        return {name: found[name] for name in self.slots}

    def unsendable(self, values: Mapping[str, Any]) -> Invalid:
        """What is wrong with values that could not be encoded, by their own names."""
        found: dict[str, str] = {}
        for link in self.found:
            try:
                self._encode(link, values)
            except Invalid as error:
                found |= error.fields
            except UNSENDABLE:
                found |= self.complaint(link, values)
        return Invalid(found)

    def complaint(self, link: Link, values: Mapping[str, Any]) -> dict[str, str]:
        """That the link's first value cannot be sent."""
        name = next(name for name in link.slots if name in values)
        return {name: f"{values[name]} cannot be sent as {kind_of(self.message.fields_by_name[link.field])}"}

    def unreadable(self, message: Any) -> Invalid:
        """What is wrong with a message that could not be decoded, by its paths."""
        found: dict[str, str] = {}
        for link in self.found:
            try:
                self._decode(link, message)
            except Invalid as error:
                found |= {f"{link.field}.{path}": text for path, text in error.fields.items()}
            except ValueError as error:
                found[link.field] = str(error)
        return Invalid(found)

    def _encode(self, link: Link, values: Mapping[str, Any]) -> None:
        self.kind(**{link.field: self.explained(link.encode, *self.slots)(**values)})

    def _decode(self, link: Link, message: Any) -> None:
        self.explained(f"({', '.join(link.decode)},)", "m")(message)

    def explained(self, expression: str, *parameters: str) -> Any:
        return eval(f"lambda {', '.join(parameters)}: {expression}", self.names.explained)  # noqa: S307 - made here

    def compile(self, source: str, name: str) -> Any:
        """The function of that name in generated source."""
        space = dict(self.names)  # Python looks names up faster in a plain dict
        exec(compile(source, f"<{self.owner.name} as {self.message.full_name}>", "exec"), space)  # noqa: S102
        return space[name]


def excepting(errors: tuple[type[Exception], ...]) -> str:
    """The errors as generated code names them."""
    return f"({', '.join(error.__name__ for error in errors)})"


def _shown(hint: Any) -> str:
    return hint.__name__ if isinstance(hint, type) else str(hint)
