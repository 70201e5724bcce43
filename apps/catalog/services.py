"""The catalog's rules: one function a use case, each decides whether the actor may."""

import contextlib
from collections.abc import Sequence
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from apps.catalog import repository
from apps.catalog.entities import Line, Product, ProductChanges, ProductDraft, Reservation, ReservationStatus
from framework.actor import Actor, require, staff
from framework.errors import AlreadyExists, FailedPrecondition, InvalidArgument, NotFound, Unavailable

MAX_LINES = 100  # of one reservation
MAX_QUANTITY = 10_000  # of one line
MAX_HELD = 86_400  # seconds


def create_product(actor: Actor, draft: ProductDraft) -> Product:
    """Raises PermissionDenied, InvalidArgument with the bad fields, AlreadyExists when the SKU is taken."""
    require(actor, staff)
    return repository.create_product(draft)


def update_product(actor: Actor, product_id: int, version: int, changes: ProductChanges) -> Product:
    """Change a product that still has the version that was read.

    Raises PermissionDenied, NotFound, Aborted for a stale version, InvalidArgument, AlreadyExists.
    """
    require(actor, staff)
    if changes == ProductChanges():
        raise InvalidArgument("There is nothing to change.")
    return repository.update_product(product_id, version, changes)


def archive_product(actor: Actor, product_id: int, version: int) -> Product:
    """Take a product off sale; it stays readable by id. Raises PermissionDenied, NotFound, Aborted."""
    require(actor, staff)
    return repository.update_product(product_id, version, ProductChanges(is_active=False))


def reserve(key: str, lines: Sequence[Line], *, seconds: int = 900) -> Reservation:
    """Take all the lines off the shelf, or none; hold them for so many seconds, until `commit` or `release`.

    The same key and lines again give the same reservation, and hold anew what has run out. Must not be called
    inside a transaction, as a catalog that runs elsewhere could not be rolled back; RuntimeError says so.
    Raises InvalidArgument for lines that make no sense, AlreadyExists for a key that was used for other lines,
    FailedPrecondition when there is not enough (the fields say of which), or the key was released.
    """
    wanted = _checked(key, lines, seconds)
    expires_at = timezone.now() + timedelta(seconds=seconds)
    with contextlib.suppress(repository.KeyUsed), transaction.atomic(durable=True):
        repository.add_reservation(key, ReservationStatus.HELD, wanted, expires_at)
        _take(wanted)
        return Reservation(key, ReservationStatus.HELD, wanted, expires_at)
    with transaction.atomic(durable=True):
        found = _existing(key, wanted)
        if found.status is ReservationStatus.EXPIRED:
            _take(wanted)
        elif found.status is ReservationStatus.COMMITTED or found.expires_at > timezone.now():
            return found
        repository.set_reservation_status(key, ReservationStatus.HELD, expires_at)
        return found._replace(status=ReservationStatus.HELD, expires_at=expires_at)


def commit(key: str) -> Reservation:
    """What was held is sold. Doing it again changes nothing. Not inside a transaction, as `reserve`.

    Raises NotFound, FailedPrecondition when the reservation was released or has expired.
    """
    _check_key(key)
    with transaction.atomic(durable=True):
        found = repository.find_reservation(key, lock=True)
        if found is None:
            raise NotFound("There is no such reservation.", reason="RESERVATION_NOT_FOUND")
        if found.status in (ReservationStatus.RELEASED, ReservationStatus.EXPIRED):
            raise FailedPrecondition(f"The reservation is {found.status}.", reason="RESERVATION_GONE")
        repository.set_reservation_status(key, ReservationStatus.COMMITTED)
        return found._replace(status=ReservationStatus.COMMITTED)


def release(key: str) -> Reservation:
    """Put back on the shelf what the key holds or has sold. Doing it again changes nothing. Not inside a transaction.

    A key that is not known yet is released too: the `reserve` it belongs to may still be on its way.
    """
    _check_key(key)
    now = timezone.now()
    with contextlib.suppress(repository.KeyUsed), transaction.atomic(durable=True):
        repository.add_reservation(key, ReservationStatus.RELEASED, (), now)
        return Reservation(key, ReservationStatus.RELEASED, (), now)
    with transaction.atomic(durable=True):
        return _give_back(key, ReservationStatus.RELEASED)


def expire(key: str) -> None:
    """Put back on the shelf what was held for too long."""
    with transaction.atomic():
        found = repository.find_reservation(key, lock=True)
        if found and found.status is ReservationStatus.HELD and found.expires_at <= timezone.now():
            _give_back(key, ReservationStatus.EXPIRED)


def _check_key(key: str) -> None:
    if not 1 <= len(key) <= 64 or "\0" in key:
        raise InvalidArgument("The key cannot be used.", fields={"key": "must have 1 to 64 characters, none NUL"})


def _checked(key: str, lines: Sequence[Line], seconds: int) -> tuple[Line, ...]:
    """The lines by product id: everybody takes locks in this order, so nobody waits in a circle."""
    _check_key(key)
    if not 1 <= seconds <= MAX_HELD:
        raise InvalidArgument("It cannot be held so long.", fields={"seconds": f"must be between 1 and {MAX_HELD}"})
    if not 1 <= len(lines) <= MAX_LINES or len({line.product_id for line in lines}) < len(lines):
        raise InvalidArgument("The lines cannot be used.", fields={"lines": f"1 to {MAX_LINES}, each product once"})
    if any(not 1 <= line.quantity <= MAX_QUANTITY for line in lines):
        raise InvalidArgument("The lines cannot be used.", fields={"lines": f"quantities from 1 to {MAX_QUANTITY}"})
    return tuple(sorted(lines))


def _take(lines: Sequence[Line]) -> None:
    short = [line.product_id for line in lines if not repository.take_stock(line)]
    if short:
        raise FailedPrecondition(
            "There is not enough in stock.",
            fields={str(product_id): "is not sold any more, or not enough is left" for product_id in short},
            reason="OUT_OF_STOCK",
        )


def _existing(key: str, wanted: tuple[Line, ...]) -> Reservation:
    found = _found(key)
    if found.status is ReservationStatus.RELEASED:
        raise FailedPrecondition("The reservation was released.", reason="RESERVATION_GONE")
    if found.lines != wanted:
        raise AlreadyExists("The key was used for other lines.", fields={"key": "was used"}, reason="KEY_REUSED")
    return found


def _found(key: str) -> Reservation:
    found = repository.find_reservation(key, lock=True)
    if found is None:  # it was there, and was old enough to be deleted in this very moment
        raise Unavailable("Try again.", reason="KEY_FORGOTTEN")
    return found


def _give_back(key: str, status: ReservationStatus) -> Reservation:
    found = _found(key)
    if found.status in (ReservationStatus.HELD, ReservationStatus.COMMITTED):
        for line in found.lines:
            repository.return_stock(line)
    repository.set_reservation_status(key, status)
    return found._replace(status=status)
