"""Changes to an entity, as a message and the update_mask that says which of its fields count (AIP-134).

A field is in the mask when it is given (not UNSET); None clears it. Of money, amount and currency may be given alone:
`price.units` with `price.nanos`, or `price.currency_code`. Needs no Django.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from google.protobuf.descriptor import Descriptor

from framework.changes import UNSET, Unset, given
from framework.grpc import convert
from framework.seam.codec import links_of, owner_of, slots_of
from framework.seam.conversions import without
from framework.seam.links import UNSENDABLE, Invalid, Link
from framework.seam.presence import Slot


class Mask:
    """Converts changes of one type. Raises ContractError when they do not fit the message."""

    def __init__(self, changes: Any, message: Descriptor) -> None:
        owner, slots = owner_of(changes), slots_of(changes)
        for slot in slots:
            if slot.default is not UNSET:
                owner.refuse(message, f"{slot.name!r} must default to UNSET, as it is sent with an update_mask.")
        self._changes = changes
        given_slots = [Slot(slot.name, without(slot.hint, Unset)[0]) for slot in slots]
        self._links = links_of(owner, given_slots, message, sent=True)
        self._links.match()

    @property
    def paths(self) -> dict[str, str]:
        return self._links.paths

    def sent(self, changes: Any, **others: Any) -> dict[str, Any]:
        """The given values, and others of the message. Raises Invalid."""
        return dict(others) | {field: value for field, _, value in self._parts(changes)}

    def mask(self, changes: Any) -> dict[str, Any]:
        """The update_mask. Raises Invalid."""
        return {"paths": [path for _, paths, _ in self._parts(changes) for path in paths]}

    def check(self, mask: Any) -> None:
        """Raises ValueError, in words for the client, for a mask that names what cannot be changed."""
        fields = {link.field for link in self._links.found}
        parts = {path for link in self._links.found if _is_money(link) for path in _amount(link) + _currency(link)}
        given_paths = set(mask.paths)
        if unknown := sorted(given_paths - fields - parts):
            raise ValueError(f"{', '.join(unknown)} cannot be changed; allowed: {', '.join(sorted(fields))}")
        for units, nanos in (_amount(link) for link in self._links.found if _is_money(link)):
            if (units in given_paths) != (nanos in given_paths):
                raise ValueError(f"{units} goes with {nanos}")

    def received(self, message: Any, mask: Any) -> Any:
        """The changes. Raises Invalid, with paths in the message."""
        paths, values = set(mask.paths), {}
        wrong: dict[str, str] = {}
        for link in self._links.found:
            for slot, decode in _named(link, paths):
                try:
                    values[slot] = self._links.explained(decode, "m")(message)
                except ValueError as error:
                    wrong[link.field] = str(error)
        if wrong:
            raise Invalid(wrong)
        return self._changes(**values)

    def _parts(self, changes: Any) -> list[tuple[str, Sequence[str], Any]]:
        """Field, paths and value of what is given."""
        values, found = given(changes), []
        wrong: dict[str, str] = {}
        for link in self._links.found:
            own = {name: values[name] for name in link.slots if name in values}
            try:
                if own:
                    found.append((link.field, *self._part(link, own)))
            except UNSENDABLE:
                wrong |= self._links.complaint(link, own)
        if wrong:
            raise Invalid(wrong)
        return found

    def _part(self, link: Link, own: Mapping[str, Any]) -> tuple[Sequence[str], Any]:
        """Paths and value of what is given of one field."""
        if len(own) == len(link.slots):
            paths, value = [link.field], self._links.explained(link.encode, *own)(**own)
        elif link.slots[0] in own:
            paths, value = _amount(link), convert.money_values(own[link.slots[0]], "")
        else:
            paths, value = _currency(link), {"currency_code": own[link.slots[1]]}
        self._links.kind(**{link.field: value})  # refuses numbers that are too large
        return paths, value


def _named(link: Link, paths: set[str]) -> Iterator[tuple[str, str]]:
    """The values that the mask names, with the expressions that read them."""
    parts = zip(link.slots, link.decode, strict=True)
    if link.field in paths:
        yield from parts
    elif _is_money(link):
        amount, currency = parts
        yield from (part for part, names in ((amount, _amount(link)), (currency, _currency(link))) if paths >= {*names})


def _is_money(link: Link) -> bool:
    return len(link.slots) > 1


def _amount(link: Link) -> list[str]:
    return [f"{link.field}.units", f"{link.field}.nanos"]


def _currency(link: Link) -> list[str]:
    return [f"{link.field}.currency_code"]
