"""The catalog's rules: one function a use case, each decides whether the actor may."""

import contextlib
from collections.abc import Sequence
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from apps.catalog import repository, rules
from apps.catalog.entities import Line, Product, ProductChanges, ProductDraft, Reservation, ReservationStatus
from framework import context
from framework.actor import NOBODY, SYSTEM, Actor, require
from framework.audit import trail
from framework.changes import given
from framework.errors import Unavailable

_VERBS = {
    ReservationStatus.HELD: "reserve",
    ReservationStatus.COMMITTED: "commit",
    ReservationStatus.RELEASED: "release",
    ReservationStatus.EXPIRED: "expire",
}


def create_product(actor: Actor, draft: ProductDraft) -> Product:
    """Raises PermissionDenied, InvalidArgument with the bad fields, AlreadyExists when the SKU is taken."""
    require(actor, rules.ADD)
    with transaction.atomic():
        product = repository.create_product(draft)
        trail.record(actor, "catalog.create_product", _object(product.id), after=draft._asdict())
    return product


def update_product(actor: Actor, product_id: int, version: int, changes: ProductChanges) -> Product:
    """Change a product that still has the version that was read.

    Raises PermissionDenied, NotFound, Aborted for a stale version, InvalidArgument, AlreadyExists.
    """
    require(actor, rules.CHANGE)
    if not given(changes):
        raise rules.nothing_to_change()
    return _update(actor, "catalog.update_product", product_id, version, changes)


def archive_product(actor: Actor, product_id: int, version: int) -> Product:
    """Take a product off sale; it stays readable by id. Raises PermissionDenied, NotFound, Aborted."""
    require(actor, rules.CHANGE)
    return _update(actor, "catalog.archive_product", product_id, version, ProductChanges(is_active=False))


def reserve(key: str, lines: Sequence[Line], *, seconds: int = 900) -> Reservation:
    """Take all the lines off the shelf, or none; hold them for so many seconds, until `commit` or `release`.

    The same key and lines again give the same reservation, and hold anew what has run out. Must not be called
    inside a transaction, as a catalog that runs elsewhere could not be rolled back; RuntimeError says so.
    Raises InvalidArgument for lines that make no sense, AlreadyExists for a key that was used for other lines,
    FailedPrecondition when there is not enough (the fields say of which), or the key was released.
    """
    wanted = rules.checked_lines(key, lines, seconds)
    expires_at = timezone.now() + timedelta(seconds=seconds)
    with contextlib.suppress(repository.KeyUsed), transaction.atomic(durable=True):
        repository.add_reservation(key, ReservationStatus.HELD, wanted, expires_at)
        _take(wanted)
        return _noted(Reservation(key, ReservationStatus.HELD, wanted, expires_at))
    with transaction.atomic(durable=True):
        found = _existing(key, wanted)
        if found.status is ReservationStatus.EXPIRED:
            _take(wanted)
        elif found.status is ReservationStatus.COMMITTED or found.expires_at > timezone.now():
            return found
        repository.set_reservation_status(key, ReservationStatus.HELD, expires_at)
        return _noted(found._replace(status=ReservationStatus.HELD, expires_at=expires_at))


def commit(key: str) -> Reservation:
    """What was held is sold. Doing it again changes nothing. Not inside a transaction, as `reserve`.

    Raises NotFound, FailedPrecondition when the reservation was released or has expired.
    """
    rules.check_key(key)
    with transaction.atomic(durable=True):
        found = rules.committable(repository.find_reservation(key, lock=True))
        repository.set_reservation_status(key, ReservationStatus.COMMITTED)
        return _noted(found._replace(status=ReservationStatus.COMMITTED))


def release(key: str) -> Reservation:
    """Put back on the shelf what the key holds or has sold. Doing it again changes nothing. Not inside a transaction.

    A key that is not known yet is released too: the `reserve` it belongs to may still be on its way.
    """
    rules.check_key(key)
    now = timezone.now()
    with contextlib.suppress(repository.KeyUsed), transaction.atomic(durable=True):
        repository.add_reservation(key, ReservationStatus.RELEASED, (), now)
        return _noted(Reservation(key, ReservationStatus.RELEASED, (), now))
    with transaction.atomic(durable=True):
        return _give_back(key, ReservationStatus.RELEASED)


def expire(key: str) -> None:
    """Put back on the shelf what was held for too long."""
    with transaction.atomic():
        found = repository.find_reservation(key, lock=True)
        if found and found.status is ReservationStatus.HELD and found.expires_at <= timezone.now():
            _give_back(key, ReservationStatus.EXPIRED)


def _take(lines: Sequence[Line]) -> None:
    short = [line.product_id for line in lines if not repository.take_stock(line)]
    if short:
        raise rules.out_of_stock(short)


def _existing(key: str, wanted: tuple[Line, ...]) -> Reservation:
    found = _found(key)
    rules.check_reusable(found, wanted)
    return found


def _found(key: str) -> Reservation:
    found = repository.find_reservation(key, lock=True)
    if found is None:  # it was there, and was old enough to be deleted in this very moment
        raise Unavailable("Try again.", reason="KEY_FORGOTTEN")
    return found


def _give_back(key: str, status: ReservationStatus) -> Reservation:
    found = _found(key)
    if found.status not in rules.GIVEN_BACK:
        for line in found.lines:
            repository.return_stock(line)
    repository.set_reservation_status(key, status)
    return _noted(found._replace(status=status))


def _update(actor: Actor, action: str, product_id: int, version: int, changes: ProductChanges) -> Product:
    with transaction.atomic():
        before = repository.get_product(product_id)
        product = repository.update_product(product_id, version, changes)
        trail.record(actor, action, _object(product_id), before=before._asdict(), after=given(changes))
    return product


def _object(product_id: int) -> str:
    return trail.of("catalog.product", product_id)


def _noted(reservation: Reservation) -> Reservation:
    """Write into the audit what became of it; tasks have no actor."""
    actor = SYSTEM if context.actor() == NOBODY else context.actor()
    after = {"status": reservation.status, "lines": {str(line.product_id): line.quantity for line in reservation.lines}}
    changed = trail.of("catalog.reservation", reservation.key)
    trail.record(actor, f"catalog.{_VERBS[reservation.status]}", changed, after=after)
    return reservation
