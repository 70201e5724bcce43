"""Thinning a table in small transactions, which keep nobody waiting."""

from collections.abc import Callable

from framework import context

BATCH = 500  # rows of one transaction


def thin(delete: Callable[[int], int]) -> None:
    """Call `delete(BATCH)`, which returns how many rows it deleted, until it finds fewer than that.

    Raises DeadlineExceeded when the caller's time is over; what was deleted stays so.
    """
    while delete(BATCH) == BATCH:
        context.check_deadline()
