"""What the service and the fake refuse, and in which words; as far as values alone can tell. Needs no Django."""

import re
from collections.abc import Iterable, Sequence

from apps.catalog.entities import Line, Reservation, ReservationStatus
from framework.actor import permission
from framework.errors import Aborted, AlreadyExists, FailedPrecondition, InvalidArgument, NotFound

ADD = permission("catalog.add_product")
CHANGE = permission("catalog.change_product")
REASONS = {  # for which each function refuses, beside bad values and missing rights
    "get_product": ("PRODUCT_NOT_FOUND",),
    "create_product": ("SKU_TAKEN",),
    "update_product": ("PRODUCT_NOT_FOUND", "STALE_VERSION", "SKU_TAKEN"),
    "archive_product": ("PRODUCT_NOT_FOUND", "STALE_VERSION"),
    "reserve": ("OUT_OF_STOCK", "RESERVATION_GONE", "KEY_REUSED", "KEY_FORGOTTEN"),
    "commit": ("RESERVATION_NOT_FOUND", "RESERVATION_GONE"),
    "release": ("KEY_FORGOTTEN",),
}
MAX_LINES = 100  # of one reservation
MAX_QUANTITY = 10_000  # of one line
MAX_HELD = 86_400  # seconds
MAX_SEARCH = 200  # characters
# What pg_trgm can look up: three letters or digits, two before something else, or one after something else.
_HAS_TRIGRAM = re.compile(r"[^\W_]{3}|[^\W_]{2}[\W_]|[\W_][^\W_]")
GIVEN_BACK = (ReservationStatus.RELEASED, ReservationStatus.EXPIRED)


def check_search(search: str) -> None:
    """Raises InvalidArgument."""
    if "\0" in search or len(search) > MAX_SEARCH:
        problem = f"{MAX_SEARCH} characters at most, none NUL"
        raise InvalidArgument("This cannot be searched for.", fields={"search": problem})
    if search and not re.search(r"[^\W_]", search):
        raise InvalidArgument("This cannot be searched for.", fields={"search": "needs a letter or a digit"})


def is_short(search: str) -> bool:
    """Whether a search finds only words that begin with the text, as no index could find it elsewhere."""
    return not _HAS_TRIGRAM.search(search)


def finds(search: str, text: str) -> bool:
    """Whether a search finds a text, in any case."""
    wanted, text = search.casefold(), text.casefold()
    return text.startswith(wanted) or f" {wanted}" in text if is_short(search) else wanted in text


def check_key(key: str) -> None:
    """Raises InvalidArgument."""
    if not 1 <= len(key) <= 64 or "\0" in key:
        raise InvalidArgument("The key cannot be used.", fields={"key": "must have 1 to 64 characters, none NUL"})


def checked_lines(key: str, lines: Sequence[Line], seconds: int) -> tuple[Line, ...]:
    """The lines by product id, so that all reservations lock products in the same order. Raises InvalidArgument."""
    check_key(key)
    if not 1 <= seconds <= MAX_HELD:
        raise InvalidArgument("It cannot be held so long.", fields={"seconds": f"must be between 1 and {MAX_HELD}"})
    if not 1 <= len(lines) <= MAX_LINES or len({line.product_id for line in lines}) < len(lines):
        raise InvalidArgument("The lines cannot be used.", fields={"lines": f"1 to {MAX_LINES}, each product once"})
    if any(not 1 <= line.quantity <= MAX_QUANTITY for line in lines):
        raise InvalidArgument("The lines cannot be used.", fields={"lines": f"quantities from 1 to {MAX_QUANTITY}"})
    return tuple(sorted(lines))


def check_reusable(found: Reservation, lines: tuple[Line, ...]) -> None:
    """That the reservation under a key is the one that is asked for. Raises FailedPrecondition, AlreadyExists."""
    if found.status is ReservationStatus.RELEASED:
        raise FailedPrecondition("The reservation was released.", reason="RESERVATION_GONE")
    if found.lines != lines:
        raise AlreadyExists("The key was used for other lines.", fields={"key": "was used"}, reason="KEY_REUSED")


def committable(found: Reservation | None) -> Reservation:
    """The reservation, if it can be committed. Raises NotFound, FailedPrecondition."""
    if found is None:
        raise NotFound("There is no such reservation.", reason="RESERVATION_NOT_FOUND")
    if found.status in GIVEN_BACK:
        raise FailedPrecondition(f"The reservation is {found.status}.", reason="RESERVATION_GONE")
    return found


def not_found(product_id: int) -> NotFound:
    return NotFound(f"There is no product {product_id}.", reason="PRODUCT_NOT_FOUND")


def nothing_to_change() -> InvalidArgument:
    return InvalidArgument("There is nothing to change.")


def stale() -> Aborted:
    return Aborted("The product was changed by somebody else: read it again, then try again.", reason="STALE_VERSION")


def sku_taken(sku: str) -> AlreadyExists:
    problem = f"There is a product with the SKU {sku!r} already."
    return AlreadyExists(problem, fields={"sku": "is taken"}, reason="SKU_TAKEN")


def out_of_stock(product_ids: Iterable[int]) -> FailedPrecondition:
    return FailedPrecondition(
        "There is not enough in stock.",
        fields={str(product_id): "is not sold any more, or not enough is left" for product_id in product_ids},
        reason="OUT_OF_STOCK",
    )
