"""The unit of work under way: one request, call or task, with its id, actor, deadline and access line.

    from framework import context

    context.actor()                 # on whose behalf the work is done
    with context.within(3): ...     # 3 seconds at most, queries included

May import `framework.actor` and `framework.errors` only. Needs no Django, except `queries`.
"""

from framework.context.unit import (
    FRESH_HEADER,
    REQUEST_ID_HEADER,
    UnitOfWork,
    acting_as,
    actor,
    age,
    arrive,
    begin,
    check_deadline,
    clear,
    current,
    listeners,
    may_read_replica,
    request_id,
    seconds_left,
    set_actor,
    shielded,
    within,
)

__all__ = [
    "FRESH_HEADER",
    "REQUEST_ID_HEADER",
    "UnitOfWork",
    "acting_as",
    "actor",
    "age",
    "arrive",
    "begin",
    "check_deadline",
    "clear",
    "current",
    "listeners",
    "may_read_replica",
    "request_id",
    "seconds_left",
    "set_actor",
    "shielded",
    "within",
]
