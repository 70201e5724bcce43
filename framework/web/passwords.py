"""How passwords are hashed: hard to guess, and never at the cost of everybody else's requests."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.contrib.auth.hashers import Argon2PasswordHasher

from framework.errors import ResourceExhausted

ROOM = 2  # threads of a process that may hash or wait for it; the others go on answering


class BoundedArgon2(Argon2PasswordHasher):
    """Argon2id with OWASP's first choice of parameters, in one thread of a process at a time.

    Django's own take 100 MiB and eight threads for each hashing. Raises ResourceExhausted beyond ROOM.
    """

    time_cost = 1
    memory_cost = 47_104  # KiB
    parallelism = 1

    def encode(self, password: str, salt: str) -> str:
        with _bounded():
            return super().encode(password, salt)

    def verify(self, password: str, encoded: str) -> bool:
        with _bounded():
            return super().verify(password, encoded)


_room = threading.BoundedSemaphore(ROOM)
_turn = threading.Lock()


@contextmanager
def _bounded() -> Iterator[None]:
    if not _room.acquire(blocking=False):
        raise ResourceExhausted("Too many passwords are checked in this moment. Try again.", reason="PASSWORDS_BUSY")
    try:
        with _turn:
            yield
    finally:
        _room.release()
