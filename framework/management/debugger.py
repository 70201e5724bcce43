"""`breakpoint()` under `./run`, whose roles have no terminal of their own: it opens the one of `./run`."""

import os
import pdb
import sys

from framework import context
from framework.management.devserver import TERMINAL


def stop() -> None:
    """Stop the caller, and take the deadline from its unit of work: a person is slower than any."""
    unit = context.current()
    unit.deadline = unit.client = None
    terminal = os.open(os.environ[TERMINAL], os.O_RDWR | os.O_NOCTTY)
    debugger = pdb.Pdb(stdin=os.fdopen(terminal), stdout=os.fdopen(os.dup(terminal), "w"), nosigint=True)
    debugger.set_trace(sys._getframe(1))
