"""The worker's connection to the broker."""

from collections.abc import Callable
from typing import Any

import structlog
from celery.worker import consumer
from kombu import Message

from framework.queue.liveness import touch_liveness

ALIVE_EVERY = 5.0  # seconds

log = structlog.get_logger("worker")


class Consumer(consumer.Consumer):
    """Survives a broken connection and undecodable messages, both of which would end Celery's own consumer.

    kombu raises AttributeError when a message is acknowledged, or given back, on a connection that was closed
    meanwhile; LookupError, TypeError or ValueError for a message of which it cannot read the envelope. Connecting
    again mends either. Nothing is lost: the relay publishes again what is not done.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.broker_errors: tuple[type[Exception], ...] = getattr(self, "connection_errors", ())
        self.connection_errors = (*self.broker_errors, AttributeError, LookupError, TypeError, ValueError)
        touch_liveness()
        self.timer.call_repeatedly(ALIVE_EVERY, touch_liveness)

    def create_task_handler(self, *args: Any, **kwargs: Any) -> Callable[[Message], None]:
        """Celery's, but an undecodable message is put aside; it would come back to one worker after another."""
        handle = super().create_task_handler(*args, **kwargs)

        def handle_or_put_aside(message: Message) -> None:
            try:
                _check_body(message)
                handle(message)
            except self.broker_errors:
                raise
            except Exception as error:
                _put_aside(message, error)

        return handle_or_put_aside

    def ensure_connected(self, conn: Any) -> Any:
        """Touch ALIVE_FILE while waiting for the broker, which may take hours."""
        ensure = conn.ensure_connection

        def ensure_and_touch(*args: Any, callback: Callable[[], None]) -> Any:
            def each_second() -> None:
                touch_liveness()
                callback()

            return ensure(*args, callback=each_second)

        conn.ensure_connection = ensure_and_touch  # Celery has no hook for its waiting
        return super().ensure_connected(conn)

    def on_connection_error_after_connected(self, exc: Exception) -> None:
        try:
            super().on_connection_error_after_connected(exc)
        except AttributeError as error:  # it has let go of the connection before it failed
            log.warning("the broken connection could not be closed", error=str(error))


def _check_body(message: Message) -> None:
    """Raises ValueError, or what kombu raises, for a body that is not a task's arguments."""
    args, kwargs, embed = message.payload
    if not (isinstance(args, list) and isinstance(kwargs, dict) and isinstance(embed, dict)):
        raise ValueError("The body is not [args, kwargs, options].")


def _put_aside(message: Message, error: Exception) -> None:
    """Reject the message: RabbitMQ moves it to a dead-letter exchange, if there is one, and Redis deletes it."""
    headers = message.headers if isinstance(message.headers, dict) else {}
    log.error("undecodable message put aside", task=headers.get("task"), task_id=headers.get("id"), error=repr(error))
    message.reject()
