"""What a role's metrics port shows. Imported only where there is one: see framework/observe/exporter.py."""

import math
import os
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import structlog
from celery import current_app
from django.conf import settings
from django.db import Error, connections
from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import GaugeMetricFamily as Gauge
from prometheus_client.core import Metric
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

from framework.data import replica
from framework.observe import exporter
from framework.queue import broker

log = structlog.get_logger("metrics")


def serve(role: str, host: str, port: int) -> None:
    """Answer scrapes in a thread. Raises OSError when the port is taken."""
    start_http_server(port, host, registry(role))


def registry(role: str) -> CollectorRegistry:
    """What all processes of the role have counted; from the relay also what all roles share."""
    found = CollectorRegistry()
    found.register(Processes())
    found.register(Release())
    if role == "relay":
        found.register(Shared())
    return found


class Processes(Collector):
    """What all processes of the role have counted, in a file each.

    Those of processes that have ended are added up in one, or each scrape would read ever more of them.
    """

    def __init__(self) -> None:
        self._folder = Path(os.environ[exporter.DIRECTORY])
        self._lock = threading.Lock()  # of two scrapes at once, the second would read what the first moves

    def describe(self) -> list[Metric]:
        """Nothing, as each process declares what it counts."""
        return []

    def collect(self) -> list[Metric]:
        with self._lock:
            for path in self._folder.glob("*.db"):
                kind, _, pid = path.stem.rpartition("_")
                if pid.isdecimal() and not _is_running(int(pid)):
                    _forget(path, kind, int(pid))
            return list(MultiProcessCollector(None, str(self._folder)).collect())  # type: ignore[no-untyped-call]


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _forget(path: Path, kind: str, pid: int) -> None:
    """Keep what a process that ended has counted; what it had open is no more."""
    if kind.startswith("gauge"):
        mark_process_dead(pid)  # type: ignore[no-untyped-call]
        return
    sums = MmapedDict(str(path.with_stem(f"{kind}_ended")))  # type: ignore[no-untyped-call]
    for key, value, _, _ in MmapedDict.read_all_values_from_file(str(path)):  # type: ignore[no-untyped-call]
        sums.write_value(key, sums.read_value(key)[0] + value, 0.0)  # type: ignore[no-untyped-call]
    sums.close()  # type: ignore[no-untyped-call]
    path.unlink()


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
            connections.close_all()  # a scrape has a thread of its own
        try:
            yield _broker()
        except broker.DOWN:
            log.warning("the broker does not answer", exc_info=True)


def _queue() -> Iterator[Gauge]:
    from framework.queue.state import queue_state  # models, which the first process of the web server has none of

    state = queue_state()
    rows = Gauge("queue_rows", "Rows of the queue's table, each in one state.", labels=("state",))
    for name in ("due", "scheduled", "published", "stalled", "running", "failed"):
        rows.add_metric((name,), getattr(state, name))
    yield rows
    yield Gauge("queue_oldest_due_seconds", "How long the oldest due row has waited for the relay.", state.oldest_due)


def _heartbeats() -> Iterator[Gauge]:
    from framework.queue.liveness import heartbeat_ages

    ages = Gauge("heartbeat_age_seconds", "Since the part showed that it works.", labels=("part",))
    for part, age in heartbeat_ages().items():
        ages.add_metric((part,), age)
    if replica.ALIAS in settings.DATABASES:
        ages.add_metric(("replica",), _replica_age())
    yield ages


def _replica_age() -> float:
    """Seconds since the newest heartbeat that has come through to the replica; endless while it does not answer."""
    from framework.queue.liveness import heartbeat_ages

    try:
        return min(heartbeat_ages(replica.ALIAS).values(), default=math.inf)
    except Error:
        log.warning("the replica does not answer", exc_info=True)
        return math.inf


def _broker() -> Gauge:
    found = Gauge("broker_messages", "Messages at the broker that no worker has taken.", labels=("queue",))
    with closing(broker.connect()) as asked:
        for queue in broker.queues(current_app.conf.task_default_queue):
            found.add_metric((queue.name,), asked.waiting(queue.name))
    return found
