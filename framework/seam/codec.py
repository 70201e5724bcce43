"""Entities to and from the messages of a contract.

    PRODUCT = codec(Product, pb.Product)
    message = pb.GetProductResponse(product=PRODUCT.values(product))
    product = PRODUCT.entity(message.product)

Fields belong together by name (`links` says how types do). What does not fit raises ContractError when the module is
imported, and names entity, message, field and both files. The two functions are generated, so they cost what they
would cost by hand. Needs no Django.
"""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, Generic, TypeVar, get_type_hints

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from framework.seam.conversions import Coder, file_of
from framework.seam.links import UNSENDABLE, Invalid, Links, Owner, excepting
from framework.seam.presence import Slot

E = TypeVar("E", bound=tuple[Any, ...])


class Codec(Generic[E]):
    """Converts entities of one type to and from one message.

    `values(entity)` is a dict, which protobuf accepts as the value of a message field without copying a message;
    `entity(message)` is the way back. Both raise Invalid with each bad field.
    """

    values: Callable[[E], Any]
    entity: Callable[[Any], E]

    def __init__(self, entity: type[E], message: Descriptor, *, sent: bool) -> None:
        self._kind = entity
        self._links = links = links_of(owner_of(entity), slots_of(entity), message, sent=sent)
        links.match()
        links.names.update(new=tuple.__new__, kind=entity, unsendable=self._unsendable, unreadable=links.unreadable)
        self.paths = links.paths
        self.values = links.compile(self._encoder(), "values")
        self.entity = links.compile(self._decoder(), "entity")

    def message(self, entity: E) -> Any:
        """The message itself. Raises Invalid also for what protobuf refuses, as numbers that are too large."""
        try:
            return self._links.kind(**self.values(entity))
        except UNSENDABLE as error:
            raise error if isinstance(error, Invalid) else self._unsendable(entity) from None

    def _unsendable(self, entity: E) -> Invalid:
        return self._links.unsendable(dict(zip(self._links.slots, entity, strict=True)))

    def _encoder(self) -> str:
        fields = ", ".join(f"{link.field!r}: {link.encode}" for link in self._links.found)
        return f"""
def values(entity):
    try:
        {", ".join(self._links.slots)}, = entity
        return {{{fields}}}
    except {excepting(UNSENDABLE)}:
        raise unsendable(entity) from None
"""

    def _decoder(self) -> str:
        return f"""
def entity(m):
    try:
        return new(kind, ({", ".join(self._links.decoders.values())},))
    except ValueError:
        raise unreadable(m) from None
"""


def codec(entity: type[E], message: type[Message]) -> Codec[E]:
    """The codec of an entity and a generated message. Raises ContractError when they do not fit."""
    found: Codec[E] = _codec(entity, message.DESCRIPTOR, False)
    return found


@cache
def _codec(entity: Any, message: Descriptor, sent: bool) -> Codec[Any]:
    return Codec(entity, message, sent=sent)


def links_of(owner: Owner, slots: Sequence[Slot], message: Descriptor, *, sent: bool) -> Links:
    """Links whose nested entities have codecs of their own."""

    def coders(kind: Any, field: FieldDescriptor) -> Coder:
        found = _codec(kind, field.message_type, sent)
        return Coder(found.values, found.message, found.entity, found.paths)

    return Links(owner, slots, message, coders, sent=sent)


def owner_of(thing: Any) -> Owner:
    """An entity or a function."""
    return Owner(thing.__name__, file_of(thing))


def slots_of(entity: Any) -> list[Slot]:
    """The fields of an entity."""
    defaults = entity._field_defaults
    return [
        Slot(name, hint, defaults[name]) if name in defaults else Slot(name, hint)
        for name, hint in get_type_hints(entity).items()
    ]
