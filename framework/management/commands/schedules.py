"""`manage.py schedules`: at deploy, after `migrate`."""

from typing import Any

from django.core.management.base import BaseCommand

from framework import discovery
from framework.queue.schedules import reconcile
from framework.queue.tasks import SCHEDULE


def declared() -> dict[str, dict[str, Any]]:
    """Every domain's SCHEDULE in one. Raises ImproperlyConfigured when two declare one name."""
    modules = [module for module in discovery.modules("tasks") if hasattr(module, "SCHEDULE")]
    discovery.unique("schedule", ((name, module) for module in modules for name in module.SCHEDULE))
    return {name: entry for module in modules for name, entry in module.SCHEDULE.items()} | SCHEDULE


class Command(BaseCommand):
    help = "Brings the schedules declared in tasks.py into beat's tables; what staff edited stays."

    def handle(self, *args: Any, **options: Any) -> None:
        for name, what in reconcile(declared()).items():
            self.stdout.write(f"{name}: {what}")
