from framework.tests.library.entities import Book
from framework.tests.library.repository import get_book, get_books
from framework.tests.library.services import add_book

__all__ = ["Book", "add_book", "get_book", "get_books"]
