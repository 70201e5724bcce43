"""What Celery does not tell of the broker: whether it was wiped, how many messages wait in it, and which is next.

The relay leaves a mark in the broker, which is lost together with the messages.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any, Protocol

from amqp.exceptions import AMQPError, NotFound
from django.conf import settings
from kombu import Connection, Exchange, Queue
from kombu.exceptions import OperationalError
from redis import Redis
from redis.exceptions import RedisError, ResponseError

MARK = f"{settings.PROJECT_SLUG}:relay"
PUBLISHED = "published"  # the header of a message that says when it was taken up, by the database's clock
DOWN = (OperationalError, RedisError, AMQPError, OSError)  # raised by clients when the broker does not answer


class Broker(Protocol):
    """Its methods raise one of DOWN while the broker is away, and connect again on the next call."""

    def is_marked(self) -> bool:
        """Whether this broker was marked and has not been wiped since."""

    def mark(self) -> None:
        """Leave the mark: from now on the broker counts as having all messages that it was given."""

    def waiting(self, queue: str) -> int:
        """How many messages of the queue no worker has taken."""

    def next_published(self, queue: str) -> datetime | None:
        """When the message that a worker takes next was published; None when none waits."""

    def close(self) -> None: ...


def queue_name(default_queue: str, priority: int) -> str:
    """The broker's queue for tasks of this priority."""
    return f"{default_queue}-bulk" if priority else default_queue


def queues(default_queue: str) -> list[Queue]:
    """The queues that a worker reads, the most urgent first."""
    names = [queue_name(default_queue, priority) for priority in (0, 1)]
    return [Queue(name, Exchange(name), routing_key=name) for name in names]


def connect() -> Broker:
    """The broker of the settings. Nothing is sent before the first call of a method."""
    url = settings.CELERY_BROKER_URL
    return RabbitMQ(url) if url.startswith("amqp") else OnRedis(url)


class OnRedis:
    """Redis may lose its last second of writes in a restart, so the mark names the server's run."""

    def __init__(self, url: str) -> None:
        timeout = settings.REDIS_TIMEOUT
        self._client = Redis.from_url(
            url, socket_timeout=timeout, socket_connect_timeout=timeout, decode_responses=True
        )

    def is_marked(self) -> bool:
        return bool(self._client.get(MARK) == self._server())

    def mark(self) -> None:
        self._client.set(MARK, self._server())

    def waiting(self, queue: str) -> int:
        return int(self._client.llen(queue))

    def next_published(self, queue: str) -> datetime | None:
        message = self._client.lindex(queue, -1)
        return None if message is None else _published(lambda: json.loads(message)["headers"])

    def close(self) -> None:
        self._client.close()

    def _server(self) -> str:
        try:
            return str(self._client.info("server")["run_id"])
        except ResponseError:  # INFO may be forbidden; a wiped broker is noticed without it
            return "unknown"


class RabbitMQ:
    """Queues and messages are durable and each message is confirmed, so a restart loses none. The mark is a queue."""

    def __init__(self, url: str) -> None:
        self._connection = Connection(
            url, connect_timeout=settings.REDIS_TIMEOUT, transport_options={"interval_start": 0}
        )

    def is_marked(self) -> bool:
        with suppress(NotFound), self._channel() as channel:
            channel.queue_declare(MARK, passive=True)
            return True
        return False

    def mark(self) -> None:
        with self._channel() as channel:
            channel.queue_declare(MARK, durable=True, auto_delete=False)

    def waiting(self, queue: str) -> int:
        with suppress(NotFound), self._channel() as channel:
            return int(channel.queue_declare(queue, passive=True).message_count)
        return 0

    def next_published(self, queue: str) -> datetime | None:
        with suppress(NotFound), self._channel() as channel:
            if message := channel.basic_get(queue):
                channel.basic_reject(message.delivery_tag, requeue=True)  # it keeps its place
                return _published(lambda: message.headers)
        return None

    def close(self) -> None:
        self._connection.release()

    @contextmanager
    def _channel(self) -> Iterator[Any]:
        """A new channel for each call, as RabbitMQ closes it when the queue does not exist."""
        self._connection.connect()
        with self._connection.channel() as channel:
            yield channel


def _published(headers: Callable[[], Any]) -> datetime:
    """What the relay has written into the message; long ago for one that is not the relay's."""
    try:
        return datetime.fromisoformat(headers()[PUBLISHED])
    except (LookupError, TypeError, ValueError):
        return datetime.fromtimestamp(0, UTC)
