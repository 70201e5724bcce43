from importlib import import_module

from django.apps import AppConfig
from django.conf import settings
from django.contrib.admin import apps as admin

from framework.observe import exporter


class FrameworkConfig(AppConfig):
    name = "framework"

    def ready(self) -> None:
        exporter.observe()
        if settings.TRACES:
            import_module("framework.observe.tracing").install()
        if settings.SENTRY_DSN:
            import_module("framework.observe.sentry").install()


class AdminConfig(admin.AdminConfig):
    """Django's admin, with the site of this framework; INSTALLED_APPS names it in place of django.contrib.admin."""

    default = False
    default_site = "framework.admin.site.Site"
