"""What a role's metrics port shows. Imported only where there is one: see project/exporter.py."""

from collections.abc import Iterator

import redis
import structlog
from django.conf import settings
from django.db import Error, connection
from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import GaugeMetricFamily as Gauge
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

log = structlog.get_logger("metrics")


def serve(role: str, host: str, port: int) -> None:
    """Answer scrapes in a thread. Raises OSError when the port is taken."""
    start_http_server(port, host, registry(role))


def registry(role: str) -> CollectorRegistry:
    """What all processes of the role have counted; from the relay also what all roles share."""
    found = CollectorRegistry()
    MultiProcessCollector(found)  # type: ignore[no-untyped-call]  # it registers itself
    found.register(Release())
    if role == "relay":
        found.register(Shared())
    return found


class Release(Collector):
    """Which release runs."""

    def collect(self) -> Iterator[Gauge]:
        release = Gauge("app_release", "The release that runs; always 1.", labels=("release",))
        release.add_metric((settings.RELEASE or "unknown",), 1)
        yield release


class Shared(Collector):
    """The queue, the heartbeats and the broker, looked at when somebody asks. What does not answer is left out."""

    def describe(self) -> list[Gauge]:
        """Nothing, or registering it would ask."""
        return []

    def collect(self) -> Iterator[Gauge]:
        try:
            yield from _queue()
            yield from _heartbeats()
        except Error:
            log.warning("the database does not answer", exc_info=True)
        finally:
            connection.close()  # a scrape has a thread of its own
        try:
            yield _broker()
        except redis.RedisError:
            log.warning("the broker does not answer", exc_info=True)


def _queue() -> Iterator[Gauge]:
    from apps.infra.state import queue_state  # models, which the first process of the web server has none of

    state = queue_state()
    rows = Gauge("queue_rows", "Rows of the queue's table, each in one state.", labels=("state",))
    for name in ("due", "later", "carried", "silent", "running", "parked"):
        rows.add_metric((name,), getattr(state, name))
    yield rows
    yield Gauge("queue_oldest_due_seconds", "How long the oldest due row has waited for the relay.", state.oldest_due)


def _heartbeats() -> Iterator[Gauge]:
    from apps.infra.state import heartbeat_ages

    ages = Gauge("heartbeat_age_seconds", "Since the part showed that it works.", labels=("part",))
    for part, age in heartbeat_ages().items():
        ages.add_metric((part,), age)
    yield ages


def _broker() -> Gauge:
    from project.celery import app

    with redis.Redis.from_url(settings.CELERY_BROKER_URL, socket_timeout=settings.REDIS_TIMEOUT) as client:
        length = client.llen(app.conf.task_default_queue)
    return Gauge("broker_messages", "Messages at the broker that no worker has taken.", float(length))
