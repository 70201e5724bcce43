"""The top: wires the domains into one backend. Imported by nothing below."""

from project.celery import app as celery_app

__all__ = ["celery_app"]
