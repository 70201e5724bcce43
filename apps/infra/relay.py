"""Gives the queue's due tasks to the broker."""

import threading
import time

import structlog
from celery import Celery
from django.conf import settings
from django.db import Error, close_old_connections
from kombu.exceptions import OperationalError
from redis import Redis
from redis.exceptions import RedisError, ResponseError

from apps.infra import alive, heartbeat, queue

log = structlog.get_logger("relay")

IDLE = 0.1  # seconds between two looks at an empty queue
LOOK = 1.0  # seconds between two looks at whether the broker is still the same
DOWN = 1.0  # seconds until the next try while the broker or the database is down
BROKER_DOWN = (OperationalError, RedisError, OSError)


class Broker:
    """Tells when the broker may have lost messages: it was wiped, restarted, or another took its place.

    It carries a mark, which is wiped with it, and says which server it is of.
    """

    MARK = f"{settings.PROJECT_SLUG}:relay"

    def __init__(self) -> None:
        timeout = settings.REDIS_TIMEOUT
        self.client = Redis.from_url(
            settings.CELERY_BROKER_URL, socket_timeout=timeout, socket_connect_timeout=timeout, decode_responses=True
        )
        self.looked = 0.0

    def is_another(self) -> bool:
        if time.monotonic() < self.looked + LOOK:
            return False
        self.looked = time.monotonic()
        return self.client.get(self.MARK) != self._server()

    def remember(self) -> None:
        """Once what it may have lost is due again."""
        self.client.set(self.MARK, self._server())

    def _server(self) -> str:
        try:
            return str(self.client.info("server")["run_id"])
        except ResponseError:  # not everybody may ask; that it was wiped can be told without
            return "unknown"


def run(app: Celery, stop: threading.Event) -> None:
    """Publish until told to stop. A broker or database that is down is waited for."""
    broker = Broker()
    while not stop.is_set():
        alive.show()
        try:
            heartbeat.note("relay", at_most_every=10)
            if broker.is_another():
                log.warning("the broker was restarted or wiped", published_again=queue.publish_again())
                broker.remember()
            wait = 0.0 if publish_due(app) else IDLE
        except (*BROKER_DOWN, Error) as error:
            log.warning("waiting", error=type(error).__name__)
            close_old_connections()
            wait = DOWN
        stop.wait(wait)


def publish_due(app: Celery) -> int:
    """Publish one batch; returns how many tasks were due.

    Raises what the broker's client raises when it is down; nothing is lost then, the rows stay due.
    """
    batch = queue.claim_due()
    published: list[queue.Message] = []
    try:
        published += (message for message in batch if _publish(app, message))
    except BROKER_DOWN:
        queue.give_back([message for message in batch if message not in published])
        raise
    finally:
        if published:
            queue.mark_published(published)
    return len(batch)


def _publish(app: Celery, message: queue.Message) -> bool:
    try:
        app.send_task(
            message.task,
            message.args,
            message.kwargs,
            task_id=message.task_id,
            headers=message.headers,
            retries=message.retries,
            ignore_result=True,
        )
    except BROKER_DOWN:
        raise
    except Exception as error:
        log.exception("cannot be published", task=message.task, task_id=message.task_id)
        queue.park(message.task_id, f"It cannot be published: {error!r}")
        return False
    return True
