"""Sessions, read from Redis with the table `django_session` as the truth, that end by their age and when left idle.

A user's session is given both at log-in, by `limit`; Django alone would prolong it whenever it is written.
"""

import time
from typing import Any

from django.contrib.sessions.backends import cached_db

LIMITS = "limits"  # when the session ends, seconds it may be idle, when it was last used
NOTED = 10  # a session in use is written at most this many times in its idle time


class SessionStore(cached_db.SessionStore):
    def limit(self, age: int, idle: int) -> None:
        """End the session in `age` seconds, or after `idle` seconds without a request."""
        self[LIMITS] = [time.time() + age, idle, time.time()]

    def load(self) -> dict[str, Any]:
        data: dict[str, Any] = super().load()
        if LIMITS not in data:
            return data
        (ends, idle, used), now = data[LIMITS], time.time()
        if now >= min(ends, used + idle):
            self.delete(self._session_key)
            self._session_key = None
            return {}
        if now - used >= idle / NOTED:
            data[LIMITS] = [ends, idle, now]
            self.modified = True
        return data

    def get_session_cookie_age(self) -> int:
        """Seconds for which the cookie and the row in the table are kept."""
        ends, idle, _ = self.get(LIMITS) or (0, super().get_session_cookie_age(), 0)
        return int(min(idle, ends - time.time()) if ends else idle)
