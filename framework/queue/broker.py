"""The broker, where Celery does not help: whether it still has what it was given, and how much waits in it.

It carries a mark, which is lost with whatever else it held.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Protocol

from amqp.exceptions import AMQPError, NotFound
from django.conf import settings
from kombu import Connection
from kombu.exceptions import OperationalError
from redis import Redis
from redis.exceptions import RedisError, ResponseError

MARK = f"{settings.PROJECT_SLUG}:relay"
DOWN = (OperationalError, RedisError, AMQPError, OSError)  # what clients raise of a broker that does not answer


class Broker(Protocol):
    """Its methods raise one of DOWN, and connect anew the next time."""

    def is_marked(self) -> bool:
        """Whether it is the one that was marked, and has not been wiped since."""

    def mark(self) -> None:
        """Say that it has all that it was given, from now on."""

    def waiting(self, queue: str) -> int:
        """How many messages no worker has taken."""

    def close(self) -> None: ...


def connect() -> Broker:
    """The broker of the settings; it is spoken to when there is something to say."""
    url = settings.CELERY_BROKER_URL
    return RabbitMQ(url) if url.startswith("amqp") else OnRedis(url)


class OnRedis:
    """Redis may forget the last second when it restarts, so the mark says which server it is of."""

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

    def close(self) -> None:
        self._client.close()

    def _server(self) -> str:
        try:
            return str(self._client.info("server")["run_id"])
        except ResponseError:  # not everybody may ask; that it was wiped can be told without
            return "unknown"


class RabbitMQ:
    """Its queues and messages are durable, and it confirms each message: a restart loses none. The mark is a queue."""

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

    def close(self) -> None:
        self._connection.release()

    @contextmanager
    def _channel(self) -> Iterator[Any]:
        """A channel of its own for each question: RabbitMQ closes it when the answer is no."""
        self._connection.connect()
        with self._connection.channel() as channel:
            yield channel
