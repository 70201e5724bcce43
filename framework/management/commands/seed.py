"""`manage.py seed`: demo data for a first look."""

from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from framework import discovery


class Command(BaseCommand):
    help = "Loads each domain's demo data into an empty database; does nothing to one that is in use."

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEBUG:
            raise CommandError("Demo data has known passwords: it is loaded under DEBUG=1 only.")
        with transaction.atomic():
            if get_user_model().objects.exists():
                return
            for module in discovery.modules("demo"):
                self.stdout.write(module.load())
