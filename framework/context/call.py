"""What travels with one unit of work (a request, a call, a task): its id, its actor and its deadline."""

import re
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from framework.actor import NOBODY, Actor
from framework.errors import DeadlineExceeded

REQUEST_ID_HEADER = "X-Request-ID"
FRESH_HEADER = "X-Fresh"  # of a call whose reads may not be old, as its caller has written
_ACCEPTABLE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")

_request_id: ContextVar[str] = ContextVar("request_id", default="")
_actor: ContextVar[Actor] = ContextVar("actor", default=NOBODY)
_deadline: ContextVar[float | None] = ContextVar("deadline", default=None)
_queued: ContextVar[float] = ContextVar("queued", default=0.0)
_arrived: ContextVar[float | None] = ContextVar("arrived", default=None)


class Record:
    """What the access line will say of the work under way; whoever learns it writes it down here."""

    __slots__ = ("code", "cost", "door", "may_lag", "name", "queries", "sql_seconds", "wrote")

    def __init__(self, door: str = "", name: str = "") -> None:
        self.door = door  # web, graphql, grpc or task
        self.name = name  # of the operation, method or task
        self.code = ""  # OK, or the name of an error
        self.cost: int | None = None  # of a GraphQL operation
        self.queries = 0
        self.sql_seconds = 0.0
        self.may_lag = False  # it began as work that changes nothing: what it reads may be a little old
        self.wrote = False  # here or elsewhere: now it may not


_record: ContextVar[Record] = ContextVar("record", default=Record())  # noqa: B039 - what nobody reads


def request_id() -> str:
    """The id of the work under way; empty outside of any."""
    return _request_id.get()


def start(received_id: str | None = None, *, seconds: float | None = None) -> str:
    """Begin a unit of work: take over the caller's id when it is well-formed, else make one, and return it.

    `seconds` is how long the work may take; None means no deadline.
    """
    well_formed = received_id is not None and _ACCEPTABLE_ID.fullmatch(received_id)
    identifier = received_id if well_formed and received_id else uuid.uuid4().hex
    _request_id.set(identifier)
    _actor.set(NOBODY)
    _record.set(Record())
    now = time.monotonic()
    _deadline.set(None if seconds is None else now + seconds)
    _arrived.set(now - _queued.get())
    return identifier


def queued(seconds: float) -> None:
    """What starts next in this thread has waited for it so long."""
    _queued.set(seconds)


def age() -> float:
    """Seconds since the work under way arrived, its wait for a thread included; 0 outside of any."""
    arrived = _arrived.get()
    return 0.0 if arrived is None else time.monotonic() - arrived


def record() -> Record:
    """The record of the work under way; outside of any, one that is thrown away."""
    return _record.get()


def may_lag() -> bool:
    """Whether what the work under way reads may be a little old; never outside of any."""
    record = _record.get()
    return record.may_lag and not record.wrote


def actor() -> Actor:
    """On whose behalf the work under way is done."""
    return _actor.get()


def set_actor(actor: Actor) -> None:
    """Say on whose behalf the work is done, once the door knows; remote calls and log lines carry it along."""
    _actor.set(actor)


@contextmanager
def acting_as(actor: Actor) -> Iterator[None]:
    """Calls inside are made on this actor's behalf, whoever the work under way is done for."""
    before = _actor.get()
    _actor.set(actor)
    try:
        yield
    finally:
        _actor.set(before)


def deadline() -> float | None:
    """When the work must be done, on the clock of `time.monotonic()`; None without a deadline."""
    return _deadline.get()


def seconds_left() -> float | None:
    """Seconds until the deadline (negative once it has passed); None without a deadline."""
    moment = _deadline.get()
    return None if moment is None else moment - time.monotonic()


def check_deadline() -> None:
    """Raise DeadlineExceeded once the time is up: for loops that would otherwise go on for nobody."""
    moment = _deadline.get()
    if moment is not None and time.monotonic() > moment:
        raise DeadlineExceeded("This took longer than allowed.")


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Give what is done inside so many seconds, or what is left when that is less."""
    before = _deadline.get()
    mine = time.monotonic() + seconds
    _deadline.set(mine if before is None else min(mine, before))
    try:
        yield
    finally:
        _deadline.set(before)
