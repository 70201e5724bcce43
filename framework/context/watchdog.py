"""Ends what nobody waits for: past its deadline, or once its caller has left, a unit's query is cancelled.

A statement timeout would cost each unit a round trip. Instead a unit enters a set, and one thread looks at the set
twenty times a second. It also hangs up on gRPC callers that keep a thread waiting for their message.
"""

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from typing import Protocol

INTERVAL = 0.05  # seconds between two looks


class Watched(Protocol):
    def is_over(self) -> bool: ...

    @property
    def cancel(self) -> Callable[[], object]: ...


class _Wait:
    """A thread's wait for what its caller has yet to send."""

    def __init__(self, hang_up: Callable[[], object], deadline: float) -> None:
        self.cancel = hang_up  # the waiting thread gets grpc's error
        self._deadline = deadline

    def is_over(self) -> bool:
        return time.monotonic() > self._deadline


class Watchdog:
    """What is in flight in this process, and the thread that ends what is over."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Start anew in a forked process: neither the parent's units nor its watching thread are there."""
        self._watched: set[Watched] = set()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None

    def watch(self, watched: Watched) -> bool:
        """Watch until `unwatch`; False when it is watched already."""
        if watched in self._watched:
            return False
        self._watched.add(watched)
        if not self._wake.is_set():
            self._wake.set()
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)
            self._thread.start()
        return True

    def unwatch(self, watched: Watched) -> None:
        self._watched.discard(watched)

    @contextlib.contextmanager
    def hanging_up(self, hang_up: Callable[[], object], seconds: float) -> Iterator[None]:
        """Call `hang_up` when what is inside, a wait for the caller, takes longer than `seconds`."""
        wait = _Wait(hang_up, time.monotonic() + seconds)
        self.watch(wait)
        try:
            yield
        finally:
            self.unwatch(wait)

    def _run(self) -> None:
        while self._wake.wait():
            time.sleep(INTERVAL)
            self._wake.clear()
            for watched in tuple(self._watched):
                self._wake.set()
                if watched.is_over():
                    watched.cancel()


watchdog = Watchdog()  # of this process
os.register_at_fork(after_in_child=watchdog.forget)
