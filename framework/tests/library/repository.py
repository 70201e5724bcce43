from collections.abc import Sequence

from framework.errors import NotFound
from framework.tests.library import models
from framework.tests.library.entities import Book, User
from framework.validation import validate


def get_user(user_id: int) -> User:
    return User(*models.User.objects.values_list(*User._fields).get(pk=user_id))


def get_book(book_id: int) -> Book:
    """Raises NotFound."""
    found = get_books([book_id])
    if book_id not in found:
        raise NotFound(f"There is no book {book_id}.", reason="BOOK_NOT_FOUND")
    return found[book_id]


def get_books(book_ids: Sequence[int]) -> dict[int, Book]:
    """The books by id, in one query; ids that do not exist are left out."""
    rows = models.Book.objects.filter(pk__in=book_ids).values_list(*Book._fields)
    return {row[0]: Book._make(row) for row in rows}


def add_book(title: str, copies: int) -> Book:
    """Raises InvalidArgument with the bad fields."""
    row = models.Book(title=title, copies=copies)
    validate(row)
    row.save(force_insert=True)
    return Book(row.pk, row.title, row.copies)
