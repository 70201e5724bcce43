"""The catalog in memory, for the tests of whoever calls it: the same functions and errors, no database, no server.

    shop = fake.Catalog([ProductDraft("OAK-1", "Oak Chair", Decimal("19.90"), stock=3)])
    monkeypatch.setattr(checkout, "catalog", shop)

It keeps to the contract that `tests/test_contract.py` holds all implementations to. No Django.
"""

import re
import threading
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from apps.catalog import entities, rules
from apps.catalog.entities import (
    Line,
    Product,
    ProductChanges,
    ProductDraft,
    ProductOrder,
    Reservation,
    ReservationStatus,
    product_keyset,
)
from framework.actor import SYSTEM, Actor, require, staff
from framework.errors import Aborted, AlreadyExists, FailedPrecondition, InvalidArgument, NotFound
from framework.pages import Page
from framework.seam.fakes import IDS, page_of

_CENT = Decimal("0.01")
_INT32 = 2**31 - 1
_BLANK = "This field cannot be blank."
_NEGATIVE = "Ensure this value is greater than or equal to 0."
_GONE = (ReservationStatus.RELEASED, ReservationStatus.EXPIRED)


class Catalog:
    """A catalog of its own, with the functions of `public.py` as methods."""

    def __init__(self, drafts: Iterable[ProductDraft] = ()) -> None:
        self._lock = threading.RLock()
        self._products: dict[int, Product] = {}
        self._edited: dict[int, int] = {}  # by product: the version that its last edit made
        self._reservations: dict[str, Reservation] = {}
        for draft in drafts:
            self.create_product(SYSTEM, draft)

    def __getattr__(self, name: str) -> Any:
        """The types that `public.py` has beside the functions."""
        return getattr(entities, name)

    def get_product(self, product_id: int) -> Product:
        if product_id not in self._products:
            raise NotFound(f"There is no product {product_id}.", reason="PRODUCT_NOT_FOUND")
        return self._products[product_id]

    def get_products(self, product_ids: Sequence[int]) -> dict[int, Product]:
        return {key: self._products[key] for key in product_ids if key in self._products}

    def list_products(
        self, *, first: int = 50, after: str = "", search: str = "", order_by: ProductOrder = ProductOrder.NAME
    ) -> Page[Product]:
        return page_of(self._sold(search), product_keyset(order_by, search), first=first, after=after)

    def count_products(self, *, search: str = "") -> int:
        return len(self._sold(search))

    def create_product(self, actor: Actor, draft: ProductDraft) -> Product:
        require(actor, staff)
        now = datetime.now(UTC)
        product = Product(next(IDS), **draft._asdict(), is_active=True, version=1, created_at=now, updated_at=now)
        return self._write(product)

    def update_product(self, actor: Actor, product_id: int, version: int, changes: ProductChanges) -> Product:
        require(actor, staff)
        if changes == ProductChanges():
            raise InvalidArgument("There is nothing to change.")
        values = {name: value for name, value in changes._asdict().items() if value is not None}
        with self._lock:
            product = self.get_product(product_id)._replace(**values)
            _check(product)
            oldest = product.version if changes.stock is not None else self._edited.get(product_id, 1)
            if not oldest <= version <= product.version:
                raise Aborted(
                    "The product was changed by somebody else: read it again, then try again.", reason="STALE_VERSION"
                )
            written = self._write(product._replace(version=product.version + 1, updated_at=datetime.now(UTC)))
            self._edited[product_id] = written.version
            return written

    def archive_product(self, actor: Actor, product_id: int, version: int) -> Product:
        return self.update_product(actor, product_id, version, ProductChanges(is_active=False))

    def reserve(self, key: str, lines: Sequence[Line], *, seconds: int = 900) -> Reservation:
        wanted = _checked(key, lines, seconds)
        now = datetime.now(UTC)
        with self._lock:
            found = self._existing(key, wanted)
            if found is None or found.status is ReservationStatus.EXPIRED:
                self._take(wanted)
            elif found.status is ReservationStatus.COMMITTED or found.expires_at > now:
                return found
            held = Reservation(key, ReservationStatus.HELD, wanted, now + timedelta(seconds=seconds))
            self._reservations[key] = held
            return held

    def commit(self, key: str) -> Reservation:
        _check_key(key)
        with self._lock:
            if key not in self._reservations:
                raise NotFound("There is no such reservation.", reason="RESERVATION_NOT_FOUND")
            found = self._reservations[key]
            if found.status in _GONE:
                raise FailedPrecondition(f"The reservation is {found.status}.", reason="RESERVATION_GONE")
            return self._set(found, ReservationStatus.COMMITTED)

    def release(self, key: str) -> Reservation:
        _check_key(key)
        with self._lock:
            unknown = Reservation(key, ReservationStatus.RELEASED, (), datetime.now(UTC))
            return self._give_back(self._reservations.get(key, unknown), ReservationStatus.RELEASED)

    def expire(self, key: str) -> None:
        """The one thing that is the fake's own: the time of a held reservation is up."""
        with self._lock:
            if self._reservations[key].status is ReservationStatus.HELD:
                self._give_back(self._reservations[key], ReservationStatus.EXPIRED)

    def _sold(self, search: str) -> list[Product]:
        rules.check_search(search)
        sold = [product for product in self._products.values() if product.is_active]
        return [product for product in sold if rules.finds(search, product.name) or rules.finds(search, product.sku)]

    def _write(self, product: Product) -> Product:
        _check(product)
        with self._lock:
            if any(other.sku == product.sku and other.id != product.id for other in self._products.values()):
                raise AlreadyExists(
                    f"There is a product with the SKU {product.sku!r} already.",
                    fields={"sku": "is taken"},
                    reason="SKU_TAKEN",
                )
            self._products[product.id] = product._replace(price=product.price.quantize(_CENT) + 0)
            return self._products[product.id]

    def _existing(self, key: str, wanted: tuple[Line, ...]) -> Reservation | None:
        found = self._reservations.get(key)
        if found is not None and found.status is ReservationStatus.RELEASED:
            raise FailedPrecondition("The reservation was released.", reason="RESERVATION_GONE")
        if found is not None and found.lines != wanted:
            raise AlreadyExists("The key was used for other lines.", fields={"key": "was used"}, reason="KEY_REUSED")
        return found

    def _take(self, lines: Sequence[Line]) -> None:
        short = [line.product_id for line in lines if not self._has(line)]
        if short:
            raise FailedPrecondition(
                "There is not enough in stock.",
                fields={str(key): "is not sold any more, or not enough is left" for key in short},
                reason="OUT_OF_STOCK",
            )
        self._move(lines, -1)

    def _has(self, line: Line) -> bool:
        product = self._products.get(line.product_id)
        return product is not None and product.is_active and product.stock >= line.quantity

    def _give_back(self, found: Reservation, status: ReservationStatus) -> Reservation:
        if found.status not in _GONE:
            self._move(found.lines, 1)
        return self._set(found, status)

    def _move(self, lines: Sequence[Line], sign: int) -> None:
        for line in lines:
            product = self._products[line.product_id]
            self._products[product.id] = product._replace(
                stock=product.stock + sign * line.quantity, version=product.version + 1
            )

    def _set(self, reservation: Reservation, status: ReservationStatus) -> Reservation:
        changed = self._reservations[reservation.key] = reservation._replace(status=status)
        return changed


def _check(product: Product) -> None:
    found: dict[str, str] = {}
    for field, complaint in _complaints(product):
        found.setdefault(field, complaint)
    if found:
        raise InvalidArgument("Some values cannot be accepted.", fields=found)


def _complaints(product: Product) -> Iterator[tuple[str, str]]:
    for field, most in (("sku", 64), ("name", 200), ("description", 10_000)):
        yield from ((field, complaint) for complaint in _of_text(getattr(product, field), field, most))
    if not re.fullmatch("[A-Z]{3}", product.currency):
        yield "currency", "Three capital letters, as in ISO 4217." if product.currency else _BLANK
    yield from (("price", complaint) for complaint in _of_price(product.price))
    if product.stock < 0:
        yield "stock", _NEGATIVE
    if product.stock > _INT32:
        yield "stock", f"Ensure this value is less than or equal to {_INT32}."


def _of_text(text: str, field: str, most: int) -> Iterator[str]:
    if not text and field != "description":
        yield _BLANK
    elif field == "sku" and text != text.strip():
        yield "Must not begin or end with a space."
    if "\0" in text:
        yield "Null characters are not allowed."
    if len(text) > most:
        yield f"Ensure this value has at most {most} characters (it has {len(text)})."


def _of_price(price: Decimal) -> Iterator[str]:
    if not price.is_finite():
        yield "Enter a number."
    elif price >= 10**10:
        yield "Ensure that there are no more than 12 digits in total."
    elif price != price.quantize(_CENT):
        yield "Ensure that there are no more than 2 decimal places."
    elif price < 0:
        yield _NEGATIVE


def _check_key(key: str) -> None:
    if not 1 <= len(key) <= 64 or "\0" in key:
        raise InvalidArgument("The key cannot be used.", fields={"key": "must have 1 to 64 characters, none NUL"})


def _checked(key: str, lines: Sequence[Line], seconds: int) -> tuple[Line, ...]:
    _check_key(key)
    if not 1 <= seconds <= 86_400:
        raise InvalidArgument("It cannot be held so long.", fields={"seconds": "must be between 1 and 86400"})
    if not 1 <= len(lines) <= 100 or len({line.product_id for line in lines}) < len(lines):
        raise InvalidArgument("The lines cannot be used.", fields={"lines": "1 to 100, each product once"})
    if any(not 1 <= line.quantity <= 10_000 for line in lines):
        raise InvalidArgument("The lines cannot be used.", fields={"lines": "quantities from 1 to 10000"})
    return tuple(sorted(lines))
