from importlib import import_module

from django.apps import AppConfig
from django.conf import settings

from project import exporter


class ProjectConfig(AppConfig):
    name = "project"

    def ready(self) -> None:
        exporter.observe()
        if settings.TRACES:
            import_module("project.tracing").install()
        if settings.SENTRY_DSN:
            import_module("project.reports").install()
