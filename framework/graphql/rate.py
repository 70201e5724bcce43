"""How often one user, or one address, may ask."""

import time
from collections import Counter

from graphql import GraphQLError

from framework.graphql.errors import ErrorCode, refusal

WINDOW = 60  # seconds


class RateLimit:
    """Requests of the minute under way, counted by this process alone: no round trip, and N processes allow N times
    as much. What must hold for all of them together is the proxy's to count.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._window = 0
        self._counts: Counter[object] = Counter()

    def check(self, who: object) -> None:
        """Count one request. Raises GraphQLError (RATE_LIMITED) above the limit."""
        window = int(time.time() // WINDOW)
        if window != self._window:
            self._window, self._counts = window, Counter()
        self._counts[who] += 1
        if self._counts[who] > self._most:
            raise limited(self._most)


def limited(most: int) -> GraphQLError:
    return refusal(f"More than {most} requests in a minute (GRAPHQL_RATE).", ErrorCode.RATE_LIMITED)


def seconds_left() -> int:
    """Until the next minute begins."""
    return WINDOW - int(time.time()) % WINDOW
