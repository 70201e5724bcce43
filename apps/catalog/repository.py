"""Every query and write on the catalog's tables. Hands out entities."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal

from django.db import IntegrityError, transaction
from django.db.models import F, Q
from django.utils import timezone

from apps.catalog import models, rules
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
from framework.changes import given
from framework.data import keysets, replica
from framework.data.constraints import is_taken
from framework.data.queries import CompiledQuery
from framework.errors import InvalidArgument
from framework.pages import Page
from framework.validation import validate

_COLUMNS = Product._fields
_SOLD = models.Product.objects.filter(is_active=True)
_BY_ID = CompiledQuery(lambda product_id: models.Product.objects.filter(pk=product_id).values_list(*_COLUMNS))
_BY_IDS = CompiledQuery(lambda ids: models.Product.objects.filter(pk__any_of=ids).values_list(*_COLUMNS))
_CENT = Decimal("0.01")


class KeyUsed(Exception):
    """There is a reservation under this key already."""


def get_product(product_id: int) -> Product:
    """Raises NotFound."""
    found = _BY_ID.run(product_id)
    if not found:
        raise rules.not_found(product_id)
    return Product._make(found[0])


def get_products(product_ids: Sequence[int]) -> dict[int, Product]:
    """The products by id, archived ones too, in one query; ids that do not exist are left out."""
    return {row[0]: Product._make(row) for row in _BY_IDS.run(list(product_ids))}


@replica.reads_replica
def list_products(
    *, first: int = 50, after: str = "", search: str = "", order_by: ProductOrder = ProductOrder.NAME
) -> Page[Product]:
    """One page of the products that are sold. Raises InvalidArgument for a bad page size, token or search."""
    keyset = product_keyset(order_by, search)
    if search:
        return keysets.fetch_matching(_SOLD, _matching(search), Product, keyset, first=first, after=after)
    return keysets.fetch(_SOLD, Product, keyset, first=first, after=after, compiled=True)


@replica.reads_replica
def count_products(*, search: str = "") -> int:
    """How many products `list_products` goes through, as `keysets.count` counts. Raises InvalidArgument."""
    return keysets.count(_SOLD.filter(_matching(search)) if search else _SOLD)


def iterate_products(*, chunk_size: int = 500) -> Iterator[list[Product]]:
    """All products by id, archived ones too, in chunks: one short query each, so memory stays flat."""
    last = 0
    while chunk := _after(last, chunk_size):
        yield chunk
        last = chunk[-1].id


def low_stock(limit: int) -> list[Product]:
    """What is sold and has fewer than `limit` in stock, the scarcest first."""
    rows = models.Product.objects.filter(is_active=True, stock__lt=limit).order_by("stock", "id")
    return [Product._make(row) for row in rows.values_list(*_COLUMNS)]


def create_product(draft: ProductDraft) -> Product:
    """Raises InvalidArgument with the bad fields, AlreadyExists when the SKU is taken."""
    row = _new_row(draft, timezone.now())
    validate(row)
    with _sku_is_free(draft.sku):
        row.save(force_insert=True)
    return _entity(row)


def update_product(product_id: int, version: int, changes: ProductChanges) -> Product:
    """Write the changes, unless they would overwrite what was not yet there in the version that was read.

    Raises NotFound, Aborted for a stale version, InvalidArgument with the bad fields, AlreadyExists when the SKU
    is taken.
    """
    values = given(changes)
    with _sku_is_free(values.get("sku", "")):
        row = models.Product.objects.select_for_update().filter(pk=product_id).first()
        if row is None:
            raise rules.not_found(product_id)
        is_stale = row.is_stale(version, stock="stock" in values)
        for name, value in values.items():
            setattr(row, name, value)
        validate(row)
        if is_stale:
            raise rules.stale()
        row.version = row.edited_version = row.version + 1
        row.updated_at = timezone.now()
        row.save(update_fields=[*values, "version", "edited_version", "updated_at"])
    return _entity(row)


def upsert_products(drafts: Sequence[ProductDraft], columns: Sequence[str] = ProductDraft._fields) -> None:
    """Write a chunk by SKU: new ones are created, known ones get the draft's values and a new version.

    Known ones get the named columns only. The drafts must have been validated (`draft_errors`), and each SKU stands
    once in the chunk.
    """
    now = timezone.now()
    with transaction.atomic():
        # Locked, so that nobody gives a product the version that it is about to get here; by id, as `reserve` does.
        found = models.Product.objects.filter(sku__in=[d.sku for d in drafts]).order_by("id").select_for_update()
        versions = {sku: version + 1 for sku, version in found.values_list("sku", "version")}
        models.Product.objects.bulk_create(
            [_new_row(draft, now, versions.get(draft.sku, 1)) for draft in drafts],
            update_conflicts=True,
            unique_fields=["sku"],
            update_fields=[*(name for name in columns if name != "sku"), "version", "edited_version", "updated_at"],
        )


def draft_errors(draft: ProductDraft) -> dict[str, str]:
    """What is wrong with a draft, by field; empty when it can be written."""
    try:
        validate(_new_row(draft, timezone.now()))
    except InvalidArgument as error:
        return error.fields
    return {}


def find_reservation(key: str, *, lock: bool = False) -> Reservation | None:
    """The reservation under a key; with `lock`, nobody else changes it before the transaction ends."""
    rows = models.Reservation.objects.filter(key=key).order_by("lines__product_id")
    rows = rows.select_for_update(of=("self",)) if lock else rows
    found = list(rows.values_list("key", "status", "expires_at", "lines__product_id", "lines__quantity"))
    if not found:
        return None
    lines = tuple(Line(product_id, quantity) for *_, product_id, quantity in found if product_id is not None)
    return Reservation(key, ReservationStatus(found[0][1]), lines, found[0][2])


def add_reservation(key: str, status: ReservationStatus, lines: Sequence[Line], expires_at: datetime) -> None:
    """Write a new reservation. Touches no stock. Raises KeyUsed, which has to end the caller's transaction."""
    try:
        reservation_id = models.Reservation.objects.create(key=key, status=status, expires_at=expires_at).pk
    except IntegrityError as error:
        if not is_taken(error, models.Reservation, "key"):
            raise
        raise KeyUsed from None
    if lines:
        models.ReservationLine.objects.bulk_create(
            models.ReservationLine(reservation_id=reservation_id, **line._asdict()) for line in lines
        )


def set_reservation_status(key: str, status: ReservationStatus, expires_at: datetime | None = None) -> None:
    times = {} if expires_at is None else {"expires_at": expires_at}
    models.Reservation.objects.filter(key=key).update(status=status, **times)


def expired_keys(limit: int) -> list[str]:
    """Keys of held reservations that have run out, the oldest first."""
    rows = models.Reservation.objects.filter(status=ReservationStatus.HELD, expires_at__lte=timezone.now())
    return list(rows.order_by("expires_at").values_list("key", flat=True)[:limit])


def thin_reservations(older_than: datetime, limit: int) -> int:
    """Delete the oldest reservations that were made before this and are no longer held; returns how many."""
    ended = models.Reservation.objects.exclude(status=ReservationStatus.HELD).filter(created_at__lt=older_than)
    with transaction.atomic():
        ids = list(ended.order_by("created_at").values_list("pk", flat=True)[:limit])
        models.Reservation.objects.filter(pk__in=ids).delete()
    return len(ids)


def take_stock(line: Line) -> bool:
    """Take it off the shelf if there is as much, in one statement; False when there is not, or it is not sold.

    The version grows, so that an edit of the stock that was begun before is refused.
    """
    rows = models.Product.objects.filter(pk=line.product_id, is_active=True, stock__gte=line.quantity)
    return bool(rows.update(stock=F("stock") - line.quantity, version=F("version") + 1))


def return_stock(line: Line) -> None:
    """Put it back on the shelf."""
    models.Product.objects.filter(pk=line.product_id).update(stock=F("stock") + line.quantity, version=F("version") + 1)


def _new_row(draft: ProductDraft, now: datetime, version: int = 1) -> models.Product:
    return models.Product(**draft._asdict(), created_at=now, updated_at=now, version=version, edited_version=version)


@contextmanager
def _sku_is_free(sku: str) -> Iterator[None]:
    """A transaction in which a SKU that is taken becomes AlreadyExists: only the database can tell without a race."""
    try:
        with transaction.atomic():
            yield
    except IntegrityError as error:
        if not is_taken(error, models.Product, "sku"):
            raise
        raise rules.sku_taken(sku) from None


def _matching(search: str) -> Q:
    """Names and SKUs that hold the text; or, if it is too short for the index, words that begin with it."""
    rules.check_search(search)
    if rules.is_short(search):
        begins = Q(name__istartswith=search) | Q(sku__istartswith=search)
        return begins | Q(name__icontains=f" {search}") | Q(sku__icontains=f" {search}")
    return Q(name__icontains=search) | Q(sku__icontains=search)


@replica.reads_replica
def _after(product_id: int, limit: int) -> list[Product]:
    rows = models.Product.objects.filter(pk__gt=product_id).order_by("pk").values_list(*_COLUMNS)
    return [Product._make(row) for row in rows[:limit]]


def _entity(row: models.Product) -> Product:
    product = Product._make(getattr(row, name) for name in _COLUMNS)
    return product._replace(price=product.price.quantize(_CENT) + 0)  # as the database answers it; + 0 as of -0
