from importlib import import_module

from django.apps import AppConfig
from django.conf import settings

from framework.observe import exporter


class FrameworkConfig(AppConfig):
    name = "framework"

    def ready(self) -> None:
        exporter.observe()
        if settings.TRACES:
            import_module("framework.observe.tracing").install()
        if settings.SENTRY_DSN:
            import_module("framework.observe.sentry").install()
