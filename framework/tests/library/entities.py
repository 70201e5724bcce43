from typing import NamedTuple


class User(NamedTuple):
    id: int
    email: str


class Book(NamedTuple):
    id: int
    title: str
    copies: int
