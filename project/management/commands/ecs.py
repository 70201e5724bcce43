"""`manage.py ecs --env staging`: CloudFormation from deploy/ecs/*.toml."""

import json
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser

from project.ecs import base, plan, services


class Command(BaseCommand):
    help = "Writes the two CloudFormation templates of an environment; deploy/ecs/deploy.sh deploys them."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--env", required=True, choices=plan.environments())
        parser.add_argument("--output", type=Path, default=settings.BASE_DIR / "var" / "ecs", metavar="FOLDER")

    def handle(self, *args: Any, **options: Any) -> None:
        environment, folder = options["env"], options["output"]
        try:
            found = plan.load(environment)
        except ImproperlyConfigured as error:
            raise CommandError(str(error)) from None
        folder.mkdir(parents=True, exist_ok=True)
        for name, template in (("base", base.template(found)), ("services", services.template(found))):
            path = folder / f"{environment}-{name}.json"
            path.write_text(json.dumps(template, indent=2) + "\n")
            self.stdout.write(str(path))
        for installation, count in found.connections.items():
            self.stdout.write(f"{installation}: up to {count} connections to its database, twice that during a roll")
