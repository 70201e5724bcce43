"""The catalog in memory, for the tests of other domains and services: no database, no server, no Django.

    shop = fake.Catalog([ProductDraft("OAK-1", "Oak Chair", Decimal("19.90"), stock=3)])
    monkeypatch.setattr(checkout, "catalog", shop)

The tests of `tests/test_contract.py` hold for it too, but it takes any value for a product's fields.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from apps.catalog import entities, rules
from apps.catalog.entities import Line, Product, ProductChanges, ProductDraft, ProductOrder, Reservation
from apps.catalog.entities import ReservationStatus as Status
from framework.actor import SYSTEM, Actor, require
from framework.changes import given
from framework.pages import Page
from framework.seam.fakes import IDS, Fake


class Catalog(Fake):
    """A catalog of its own, with the functions of `public.py` as methods."""

    def __init__(self, drafts: Iterable[ProductDraft] = ()) -> None:
        super().__init__(entities)
        self._products: dict[int, Product] = {}
        self._edited: dict[int, int] = {}  # by product: the version that its last edit made
        self._reservations: dict[str, Reservation] = {}
        for draft in drafts:
            self.create_product(SYSTEM, draft)

    def get_product(self, product_id: int) -> Product:
        if product_id not in self._products:
            raise rules.not_found(product_id)
        return self._products[product_id]

    def get_products(self, product_ids: Sequence[int]) -> dict[int, Product]:
        return {key: self._products[key] for key in product_ids if key in self._products}

    def list_products(
        self, *, first: int = 50, after: str = "", search: str = "", order_by: ProductOrder = ProductOrder.NAME
    ) -> Page[Product]:
        return self._page(self._sold(search), entities.product_keyset(order_by, search), first=first, after=after)

    def count_products(self, *, search: str = "") -> int:
        return len(self._sold(search))

    def create_product(self, actor: Actor, draft: ProductDraft) -> Product:
        require(actor, rules.ADD)
        now = datetime.now(UTC)
        return self._write(Product(next(IDS), **draft._asdict(), version=1, created_at=now, updated_at=now))

    def update_product(self, actor: Actor, product_id: int, version: int, changes: ProductChanges) -> Product:
        require(actor, rules.CHANGE)
        if not (values := given(changes)):
            raise rules.nothing_to_change()
        with self._lock:
            product = self.get_product(product_id)
            oldest = product.version if "stock" in values else self._edited.get(product_id, 1)
            if not oldest <= version <= product.version:
                raise rules.stale()
            self._edited[product_id] = newest = product.version + 1
            return self._write(product._replace(**values, version=newest, updated_at=datetime.now(UTC)))

    def archive_product(self, actor: Actor, product_id: int, version: int) -> Product:
        return self.update_product(actor, product_id, version, ProductChanges(is_active=False))

    def reserve(self, key: str, lines: Sequence[Line], *, seconds: int = 900) -> Reservation:
        wanted, now = rules.checked_lines(key, lines, seconds), datetime.now(UTC)
        with self._lock:
            if found := self._reservations.get(key):
                rules.check_reusable(found, wanted)
                if found.status is not Status.EXPIRED:
                    return found
            self._take(wanted)
            return self._put(
                self._reservations, key, Reservation(key, Status.HELD, wanted, now + timedelta(seconds=seconds))
            )

    def commit(self, key: str) -> Reservation:
        rules.check_key(key)
        with self._lock:
            found = rules.committable(self._reservations.get(key))
            return self._put(self._reservations, key, found._replace(status=Status.COMMITTED))

    def release(self, key: str) -> Reservation:
        rules.check_key(key)
        with self._lock:
            unknown = Reservation(key, Status.RELEASED, (), datetime.now(UTC))
            return self._give_back(self._reservations.get(key, unknown), Status.RELEASED)

    def expire(self, key: str) -> None:
        """The one thing that is the fake's own: the time of a held reservation is up."""
        with self._lock:
            if self._reservations[key].status is Status.HELD:
                self._give_back(self._reservations[key], Status.EXPIRED)

    def _sold(self, search: str) -> list[Product]:
        rules.check_search(search)
        sold = (product for product in self._products.values() if product.is_active)
        return [product for product in sold if any(rules.finds(search, text) for text in (product.name, product.sku))]

    def _write(self, product: Product) -> Product:
        if any(other.sku == product.sku and other.id != product.id for other in self._products.values()):
            raise rules.sku_taken(product.sku)
        return self._put(self._products, product.id, product._replace(price=round(product.price, 2) + 0))

    def _take(self, lines: Sequence[Line]) -> None:
        has = {key: product.stock for key, product in self._products.items() if product.is_active}
        if short := [line.product_id for line in lines if has.get(line.product_id, 0) < line.quantity]:
            raise rules.out_of_stock(short)
        self._move(lines, -1)

    def _give_back(self, found: Reservation, status: Status) -> Reservation:
        if found.status not in rules.GIVEN_BACK:
            self._move(found.lines, 1)
        return self._put(self._reservations, found.key, found._replace(status=status))

    def _move(self, lines: Sequence[Line], sign: int) -> None:
        for line in lines:
            product = self._products[line.product_id]
            stock, version = product.stock + sign * line.quantity, product.version + 1
            self._products[product.id] = product._replace(stock=stock, version=version)
