"""The framework, tested by itself: settings, a Celery app and a domain (`library`) of its own."""

from framework.tests.celery import app as celery_app

__all__ = ["celery_app"]
