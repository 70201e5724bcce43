"""The unit of work under way: one request, call or task, with its id, actor, deadline and access line.

    from framework import context

    context.actor()                 # on whose behalf the work is done
    with context.within(3): ...     # 3 seconds at most, queries included

May import `framework.actor` and `framework.errors` only. Needs no Django.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from framework.actor import Actor
from framework.context.unit import (
    FRESH_HEADER,
    OUTSIDE,
    REQUEST_ID_HEADER,
    UnitOfWork,
    begin,
    current,
    listeners,
    make_current,
    watchdog,
)

__all__ = ["FRESH_HEADER", "REQUEST_ID_HEADER", "UnitOfWork", "begin", "current", "listeners"]


def arrive(queued: float) -> None:
    """Record that the unit which begins next in this thread has waited `queued` seconds for the thread."""
    waiting = UnitOfWork()
    waiting.arrived = time.monotonic() - queued
    make_current(waiting)


def clear() -> None:
    """Leave whatever unit this thread is in, without an access line: for tests."""
    make_current(OUTSIDE)


def request_id() -> str:
    """The id of the unit under way; empty outside of any."""
    return current().request_id


def actor() -> Actor:
    """On whose behalf the work is done; NOBODY outside of any unit."""
    return current().actor


def set_actor(actor: Actor) -> None:
    """Record on whose behalf the unit works, once the transport knows; remote calls and log lines carry it along."""
    unit = current()
    if unit is OUTSIDE:
        unit = UnitOfWork()
        make_current(unit)
    unit.actor = actor


def age() -> float:
    """Seconds since the unit arrived, its wait for a thread included; 0 outside of any."""
    arrived = current().arrived
    return 0.0 if arrived is None else time.monotonic() - arrived


def may_read_replica() -> bool:
    """Whether reads may be a little old: the unit began as read-only and has not written. Never outside of any."""
    unit = current()
    return unit.read_only and not unit.wrote


def seconds_left() -> float | None:
    """Seconds until the deadline (negative once it has passed); None without one."""
    deadline = current().deadline
    return None if deadline is None else deadline - time.monotonic()


def check_deadline() -> None:
    """Raise DeadlineExceeded once the time is up. For loops that would otherwise go on for nobody."""
    unit = current()
    if unit.deadline is not None and time.monotonic() > unit.deadline:
        raise unit.exceeded()


@contextmanager
def acting_as(actor: Actor) -> Iterator[None]:
    """Calls inside are made on this actor's behalf, whoever the unit works for."""
    with _own() as unit:
        before, unit.actor = unit.actor, actor
        try:
            yield
        finally:
            unit.actor = before


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Give what is done inside `seconds`, or what is left when that is less; then its queries are cancelled."""
    with _own() as unit:
        before, limit = unit.deadline, time.monotonic() + seconds
        unit.deadline = limit if before is None else min(limit, before)
        added = watchdog.watch(unit)
        try:
            yield
        finally:
            if added:
                watchdog.unwatch(unit)
            unit.deadline = before


@contextmanager
def shielded() -> Iterator[None]:
    """What is done inside goes on although nobody waits any more: it writes down what became of the work."""
    with _own() as unit:
        before = unit.deadline, unit.client
        unit.deadline = unit.client = None
        try:
            yield
        finally:
            unit.deadline, unit.client = before


@contextmanager
def _own() -> Iterator[UnitOfWork]:
    """The unit under way; outside of any, one for as long as this lasts."""
    unit = current()
    if unit is not OUTSIDE:
        yield unit
        return
    make_current(unit := UnitOfWork())
    try:
        yield unit
    finally:
        make_current(OUTSIDE)
