"""Changes to an entity: values that are given, and UNSET for those that stay as they are. None clears a value.

class ProductChanges(NamedTuple):
    name: str | Unset = UNSET
    brand: str | Unset | None = UNSET
"""

from enum import Enum
from typing import Any, Final


class Unset(Enum):
    """The type of UNSET, for annotations."""

    UNSET = "unset"

    def __repr__(self) -> str:
        return self.name


UNSET: Final = Unset.UNSET


def given(changes: Any) -> dict[str, Any]:
    """The values of the fields that were given, by name."""
    return {name: value for name, value in changes._asdict().items() if value is not UNSET}
