"""`manage.py relay`: the process that gives queued tasks to the broker."""

import signal
import threading
from typing import Any

from celery import current_app
from django.core.management.base import BaseCommand

from framework.observe import exporter
from framework.queue import relay


class Command(BaseCommand):
    help = "Publishes queued tasks to the broker until stopped. Several may run at once."

    def handle(self, *args: Any, **options: Any) -> None:
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        exporter.start("relay")
        relay.run(current_app, stop)
