from django.db import transaction

from framework.actor import Actor, authenticated, require
from framework.audit import trail
from framework.tests.library import repository, tasks
from framework.tests.library.entities import Book


def add_book(actor: Actor, title: str, copies: int = 1) -> Book:
    """Raises InvalidArgument with the bad fields, Unauthenticated without a user."""
    require(actor, authenticated)
    with transaction.atomic():
        book = repository.add_book(title, copies)
        trail.record(actor, "library.add_book", trail.of("library.book", book.id), after=book._asdict())
        tasks.catalogue.delay(book.id)
    return book
