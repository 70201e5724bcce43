from typing import NamedTuple


class User(NamedTuple):
    id: int
    email: str
    is_staff: bool
