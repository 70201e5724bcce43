"""The rule for writes that other domains may call, kept here as it is where the domain runs elsewhere."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from framework.seam import remote

P = ParamSpec("P")
R = TypeVar("R")


def standalone(write: Callable[P, R]) -> Callable[P, R]:
    """The write, as `public.py` hands it out: it raises RuntimeError inside of a caller's transaction.

    Some day the domain may run elsewhere; then nothing it writes would roll back with the caller.
    """

    @wraps(write)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        remote.refuse_inside_transaction()
        return write(*args, **kwargs)

    return guarded
