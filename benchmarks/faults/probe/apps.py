import os

from django.apps import AppConfig


class ProbeConfig(AppConfig):
    name = "benchmarks.faults.probe"

    def ready(self) -> None:
        """Divide the queue's waiting times by FAULTS_HASTE, so that a quick run need not wait for minutes.

        And let one customer order what thousands would.
        """
        from apps.orders import rules
        from framework.queue import outbox, table

        rules.MAX_HELD_ORDERS = rules.MAX_HELD_PIECES = 1_000_000

        haste = float(os.environ.get("FAULTS_HASTE", "1"))
        table.LEASE /= haste
        outbox.CLAIM, outbox.LOST_AFTER, outbox.REPUBLISH_AFTER = (
            wait / haste for wait in (outbox.CLAIM, outbox.LOST_AFTER, outbox.REPUBLISH_AFTER)
        )
