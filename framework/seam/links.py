"""Which values of an entity, or arguments of a function, and which field of a message belong together: by name.

Amounts are the one pair: a Decimal in a google.type.Money takes its currency from the entity's `<name>_currency`, or
else from its `currency`. What may be missing says the contract: a field is `optional`, or has a
google.api.field_behavior: OPTIONAL for money that may be missing (the amount is 0.00 then, the currency empty),
OUTPUT_ONLY or IDENTIFIER for what a caller does not send.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from types import NoneType
from typing import Any, NamedTuple, NoReturn

from google.api.field_behavior_pb2 import IDENTIFIER, OPTIONAL, OUTPUT_ONLY, field_behavior
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.descriptor_pb2 import FieldDescriptorProto
from google.protobuf.message_factory import GetMessageClass

from framework.grpc import convert
from framework.seam.conversions import MONEY, Coders, ContractError, Names, conversion, is_entity, without

MISSING: Any = object()
UNSENDABLE = (ValueError, TypeError, ArithmeticError, LookupError, AttributeError)  # of values that are no such thing
_ZERO = Decimal("0.00")


class Invalid(ValueError):
    """Values that cannot be converted, each with what is wrong with it."""

    def __init__(self, fields: Mapping[str, str]) -> None:
        super().__init__(str(fields))
        self.fields = dict(fields)


class Slot(NamedTuple):
    """A field of an entity, or a parameter of a function."""

    name: str
    hint: Any
    default: Any = MISSING


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
            elif not (self._sent and behaves(field, OUTPUT_ONLY, IDENTIFIER)):
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
        if base is Decimal and field.message_type is not None and field.message_type.full_name == MONEY:
            self.found.append(self._money(slot, field, nullable))
            return
        found = conversion(base, field, self.names, self._coders)
        if found is None:
            self.owner.refuse(self.message, f"{field.name!r} is {_shown(slot.hint)} here and {_kind(field)} there.")
        encode = found.encode.format(slot.name)
        if nullable:
            encode = f"(None if {slot.name} is None else {encode})"
        elif self._sent and encode == slot.name:  # protobuf would take None for an absent field
            encode = f"{self.names.add(_present)}({encode})"
        absent = self._absent(slot, field, nullable)
        decode = _or_absent(found.decode.format(f"m.{field.name}"), field, absent)
        paths = {slot.name: field.name}
        if is_entity(base):
            inner = self._coders(base, field).paths
            paths = {name: f"{field.name}.{path}" for name, path in inner.items()} | paths
        self.found.append(Link(field.name, (slot.name,), encode, (decode,), paths))

    def _money(self, slot: Slot, field: FieldDescriptor, nullable: bool) -> Link:
        own = f"{slot.name}_currency"
        currency = self.slots.get(own) or self.slots.get("currency")
        if currency is None:
            self.owner.refuse(self.message, f"{slot.name!r} needs its currency: a field {own!r} or 'currency'.")
        encode = f"{self.names.add(convert.money_values)}({slot.name}, {currency.name})"
        amount, absent = f"{self.names.add(convert.from_money)}(m.{field.name})", self._absent(slot, field, nullable)
        if nullable:
            encode = f"(None if {slot.name} is None else {encode})"
        elif slot.default is MISSING and behaves(field, OPTIONAL):
            encode, absent = f"({encode} if {currency.name} else None)", self.names.add(_ZERO)
        names: tuple[str, ...] = (slot.name,)
        decode: tuple[str, ...] = (_or_absent(amount, field, absent),)
        paths = {slot.name: field.name}
        if not any(currency.name in link.slots for link in self.found):
            names, decode = (*names, currency.name), (*decode, self._currency(currency, field))
            paths[currency.name] = f"{field.name}.currency_code"
        return Link(field.name, names, encode, decode, paths)

    def _currency(self, currency: Slot, field: FieldDescriptor) -> str:
        code = f"m.{field.name}.currency_code"
        if currency.default in (MISSING, ""):
            return code
        return f"({code} if m.HasField({field.name!r}) else {self.names.add(currency.default)})"

    def _absent(self, slot: Slot, field: FieldDescriptor, nullable: bool) -> str:
        """The expression for a field that is absent; empty when absence cannot be told, and means nothing."""
        if field.has_presence:
            if slot.default is MISSING and not nullable:
                return f"{self.names.add(_required)}()"
            return self.names.add(None if slot.default is MISSING else slot.default)
        if nullable:
            self.owner.refuse(self.message, f"{field.name!r} may be None: make it `optional` in the message.")
        if field.enum_type is not None and not field.is_repeated and slot.default is not MISSING:
            return self.names.add(slot.default)  # for the value 0, _UNSPECIFIED
        if slot.default is not MISSING and slot.default:
            self.owner.refuse(
                self.message, f"{field.name!r} defaults to {slot.default!r} here: make it `optional` in the message."
            )
        return ""

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
        return {name: f"{values[name]} cannot be sent as {_kind(self.message.fields_by_name[link.field])}"}

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
        exec(compile(source, f"<{self.owner.name} as {self.message.full_name}>", "exec"), self.names)  # noqa: S102
        return self.names.pop(name)


def behaves(field: FieldDescriptor, *behaviors: int) -> bool:
    """Whether the contract gives the field one of these google.api.field_behavior."""
    declared: Sequence[int] = field.GetOptions().Extensions[field_behavior]
    return any(behavior in declared for behavior in behaviors)


def _or_absent(decode: str, field: FieldDescriptor, absent: str) -> str:
    if not absent:
        return decode
    there = f"m.HasField({field.name!r})" if field.has_presence else f"m.{field.name}"
    return f"({decode} if {there} else {absent})"


def excepting(errors: tuple[type[Exception], ...]) -> str:
    """The errors as generated code names them."""
    return f"({', '.join(error.__name__ for error in errors)})"


def _present(value: Any) -> Any:
    if value is None:
        raise TypeError
    return value


def _required() -> NoReturn:
    raise ValueError("is required")


def _shown(hint: Any) -> str:
    return hint.__name__ if isinstance(hint, type) else str(hint)


def _kind(field: FieldDescriptor) -> str:
    kind = field.message_type or field.enum_type
    name = kind.full_name if kind else FieldDescriptorProto.Type.Name(field.type).removeprefix("TYPE_").lower()  # type: ignore[arg-type]
    return f"repeated {name}" if field.is_repeated else str(name)
