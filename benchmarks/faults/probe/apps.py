import os

from django.apps import AppConfig


class ProbeConfig(AppConfig):
    name = "benchmarks.faults.probe"

    def ready(self) -> None:
        """A quick look cannot wait for minutes: FAULTS_HASTE divides the queue's patience."""
        from framework.queue import table

        haste = float(os.environ.get("FAULTS_HASTE", "1"))
        table.CLAIM, table.LEASE, table.REPUBLISH_AFTER = (
            wait / haste for wait in (table.CLAIM, table.LEASE, table.REPUBLISH_AFTER)
        )
