"""SIGTERM and SIGINT as an event, so that a process can finish its work before it exits."""

import signal
import threading
from types import FrameType


def stop_on_signals() -> threading.Event:
    """An event that SIGTERM and SIGINT set; for the main thread to wait on."""
    stopped = threading.Event()

    def handle(number: int, frame: FrameType | None) -> None:
        # In a thread: a signal may interrupt the main thread while it holds the event's lock, and setting the event
        # there would wait for that lock for ever.
        threading.Thread(target=stopped.set, daemon=True).start()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, handle)
    return stopped
