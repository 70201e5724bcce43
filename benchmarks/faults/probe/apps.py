import os

from django.apps import AppConfig


class ProbeConfig(AppConfig):
    name = "benchmarks.faults.probe"

    def ready(self) -> None:
        """A quick look cannot wait for minutes: FAULTS_HASTE divides the queue's patience."""
        from framework.queue import table as queue

        haste = float(os.environ.get("FAULTS_HASTE", "1"))
        queue.CLAIM, queue.RUN, queue.SILENCE = (wait / haste for wait in (queue.CLAIM, queue.RUN, queue.SILENCE))
