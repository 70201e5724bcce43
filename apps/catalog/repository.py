"""Every query and write on the catalog's tables. Hands out entities."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal

from django.db import IntegrityError, transaction
from django.db.models import F, Q, QuerySet
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
from framework.data.queries import KeptInsert, KeptQuery
from framework.errors import InvalidArgument
from framework.pages import Page
from framework.validation import validate

_COLUMNS = Product._fields
_SOLD = models.Product.objects.filter(is_active=True)
_BY_ID = KeptQuery(lambda product_id: models.Product.objects.filter(pk=product_id).values_list(*_COLUMNS))
_BY_IDS = KeptQuery(lambda ids: models.Product.objects.filter(pk__among=ids).values_list(*_COLUMNS))
_RESERVATION = KeptInsert(
    lambda key, status, expires_at, created_at: models.Reservation(
        key=key, status=status, expires_at=expires_at, created_at=created_at
    )
)
_CENT = Decimal("0.01")


def get_product(product_id: int) -> Product:
    """Raises NotFound."""
    found = _BY_ID.run(product_id)
    if not found:
        raise rules.not_found(product_id)
    return Product._make(found[0])


def get_products(product_ids: Sequence[int]) -> dict[int, Product]:
    """The products by id, archived ones too, in one query; ids that do not exist are left out."""
    return {row[0]: Product._make(row) for row in _BY_IDS.run(list(product_ids))}


@replica.may_answer
def list_products(
    *, first: int = 50, after: str = "", search: str = "", order_by: ProductOrder = ProductOrder.NAME
) -> Page[Product]:
    """One page of the products that are sold. Raises InvalidArgument for a bad page size, token or search."""
    keyset = product_keyset(order_by, search)
    rows = _sold(search)
    return keysets.fetch(rows, Product, keyset, first=first, after=after, kept=rows is _SOLD)


@replica.may_answer
def count_products(*, search: str = "") -> int:
    """How many products `list_products` goes through. Raises InvalidArgument for a bad search."""
    return _sold(search).count()


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
    now = timezone.now()
    row = models.Product(**draft._asdict(), created_at=now, updated_at=now)
    validate(row)
    with _sku_is_free(draft.sku):
        row.save(force_insert=True)
    return _entity(row)


def update_product(product_id: int, version: int, changes: ProductChanges) -> Product:
    """Write the changes if the row still has that version.

    Raises NotFound, Aborted for a stale version, InvalidArgument with the bad fields, AlreadyExists when the SKU
    is taken.
    """
    row = models.Product.objects.filter(pk=product_id).first()
    if row is None:
        raise rules.not_found(product_id)
    values = given(changes)
    for name, value in values.items():
        setattr(row, name, value)
    validate(row)
    row.updated_at = timezone.now()
    with _sku_is_free(row.sku):
        written = models.Product.objects.filter(pk=product_id, version=version).update(
            **values, version=F("version") + 1, updated_at=row.updated_at
        )
    if not written:
        raise rules.stale()
    row.version = version + 1
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
        known = dict(found.values_list("sku", "version"))
        models.Product.objects.bulk_create(
            [
                models.Product(**d._asdict(), created_at=now, updated_at=now, version=known.get(d.sku, 0) + 1)
                for d in drafts
            ],
            update_conflicts=True,
            unique_fields=["sku"],
            update_fields=[*(name for name in columns if name != "sku"), "version", "updated_at"],
        )


def draft_errors(draft: ProductDraft) -> dict[str, str]:
    """What is wrong with a draft, by field; empty when it can be written."""
    now = timezone.now()
    try:
        validate(models.Product(**draft._asdict(), created_at=now, updated_at=now))
    except InvalidArgument as error:
        return error.fields
    return {}


def find_reservation(key: str, *, lock: bool = False) -> Reservation | None:
    """The reservation under a key; with `lock`, nobody else changes it before the transaction ends."""
    rows = models.Reservation.objects.filter(key=key)
    row = (rows.select_for_update() if lock else rows).first()
    return None if row is None else _reservation(row)


def add_reservation(key: str, status: ReservationStatus, lines: Sequence[Line], expires_at: datetime) -> bool:
    """Write a new reservation; False when the key is taken. Touches no stock."""
    try:
        with transaction.atomic():
            reservation_id = _RESERVATION.run(key, status, expires_at, timezone.now())
    except IntegrityError:
        return False
    models.ReservationLine.objects.bulk_create(
        [
            models.ReservationLine(reservation_id=reservation_id, product_id=line.product_id, quantity=line.quantity)
            for line in lines
        ]
    )
    return True


def set_reservation_status(key: str, status: ReservationStatus, expires_at: datetime | None = None) -> None:
    times = {} if expires_at is None else {"expires_at": expires_at}
    models.Reservation.objects.filter(key=key).update(status=status, **times)


def expired_keys(limit: int) -> list[str]:
    """Keys of held reservations that have run out, the oldest first."""
    rows = models.Reservation.objects.filter(status=ReservationStatus.HELD, expires_at__lte=timezone.now())
    return list(rows.order_by("expires_at").values_list("key", flat=True)[:limit])


def take_stock(line: Line) -> bool:
    """Take it off the shelf if there is as much, in one statement; False when there is not, or it is not sold.

    The version grows: an edit that was begun before must not write the old stock back.
    """
    rows = models.Product.objects.filter(pk=line.product_id, is_active=True, stock__gte=line.quantity)
    return bool(rows.update(stock=F("stock") - line.quantity, version=F("version") + 1))


def return_stock(line: Line) -> None:
    """Put it back on the shelf."""
    models.Product.objects.filter(pk=line.product_id).update(stock=F("stock") + line.quantity, version=F("version") + 1)


@contextmanager
def _sku_is_free(sku: str) -> Iterator[None]:
    """Only the database can tell without a race whether a SKU is taken; its refusal becomes AlreadyExists."""
    try:
        with transaction.atomic():
            yield
    except IntegrityError:
        raise rules.sku_taken(sku) from None


def _sold(search: str) -> QuerySet[models.Product]:
    rules.check_search(search)
    return _SOLD.filter(Q(name__icontains=search) | Q(sku__icontains=search)) if search else _SOLD


@replica.may_answer
def _after(product_id: int, limit: int) -> list[Product]:
    rows = models.Product.objects.filter(pk__gt=product_id).order_by("pk").values_list(*_COLUMNS)
    return [Product._make(row) for row in rows[:limit]]


def _entity(row: models.Product) -> Product:
    product = Product._make(getattr(row, name) for name in _COLUMNS)
    return product._replace(price=product.price.quantize(_CENT))  # as it reads when it comes from the database


def _reservation(row: models.Reservation) -> Reservation:
    lines = row.lines.order_by("product_id").values_list("product_id", "quantity")
    return Reservation(row.key, ReservationStatus(row.status), tuple(map(Line._make, lines)), row.expires_at)
