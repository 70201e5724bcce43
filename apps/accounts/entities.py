from datetime import datetime
from enum import StrEnum
from typing import NamedTuple


class User(NamedTuple):
    id: int
    email: str
    is_staff: bool


class DataRequestKind(StrEnum):
    ERASE = "erase"
    EXPORT = "export"


class DataRequest(NamedTuple):
    """What a user has asked for about all data of the account; its id is the receipt."""

    id: int
    user_id: int
    kind: DataRequestKind
    requested_at: datetime
    finished_at: datetime | None
    document: str  # of an export that is finished, JSON, until it is thrown away
