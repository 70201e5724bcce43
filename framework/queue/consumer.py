"""The worker's end of the broker."""

from collections.abc import Callable
from typing import Any

import structlog
from celery.worker import consumer

from framework.queue.liveness import touch_liveness

ALIVE_EVERY = 5.0  # seconds

log = structlog.get_logger("worker")


class Consumer(consumer.Consumer):
    """Outlives its connection to the broker, whatever the worker is doing when it breaks.

    Celery's own ends the worker when a task is acknowledged, or messages are given back, on a connection that has
    been closed meanwhile: kombu raises AttributeError then, which is not among the errors that are recovered from.
    Nothing depends on either: the relay publishes again what is not done.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        errors: tuple[type[Exception], ...] = getattr(self, "connection_errors", ())
        self.connection_errors = (*errors, AttributeError)
        touch_liveness()
        self.timer.call_repeatedly(ALIVE_EVERY, touch_liveness)

    def ensure_connected(self, conn: Any) -> Any:
        """Whoever waits for the broker, for hours perhaps, does not hang."""
        ensure = conn.ensure_connection

        def ensure_and_show(*args: Any, callback: Callable[[], None]) -> Any:
            def each_second() -> None:
                touch_liveness()
                callback()

            return ensure(*args, callback=each_second)

        conn.ensure_connection = ensure_and_show  # Celery offers no other way into its waiting
        return super().ensure_connected(conn)

    def on_connection_error_after_connected(self, exc: Exception) -> None:
        try:
            super().on_connection_error_after_connected(exc)
        except AttributeError as error:  # it has let go of the connection before it failed
            log.warning("the broken connection could not be closed", error=str(error))
