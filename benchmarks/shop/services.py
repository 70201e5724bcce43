"""The shop's rules."""

from benchmarks.shop import repository
from benchmarks.shop.entities import Note
from framework.actor import Actor, anyone, require
from framework.errors import InvalidArgument


def add_note(actor: Actor, title: str, text: str) -> Note:
    """Raises InvalidArgument for a title that is missing or too long."""
    require(actor, anyone)
    if not 1 <= len(title) <= 200:
        raise InvalidArgument("A title has 1 to 200 characters.", fields={"title": "must have 1 to 200 characters"})
    return repository.create_note(title, text)
