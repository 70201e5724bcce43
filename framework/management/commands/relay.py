"""`manage.py relay`: the process that gives queued tasks to the broker."""

from typing import Any

from celery import current_app
from django.core.management.base import BaseCommand

from framework.observe import exporter
from framework.queue import relay
from framework.signals import stop_on_signals


class Command(BaseCommand):
    help = "Publishes queued tasks to the broker until stopped. Several may run at once."

    def handle(self, *args: Any, **options: Any) -> None:
        stop = stop_on_signals()
        exporter.start("relay")
        relay.run(current_app, stop)
