"""The Celery application. Tasks are declared with `@shared_task` in a domain's `tasks.py`."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

from celery import Celery
from django.conf import settings

app = Celery(settings.PROJECT_SLUG, task_cls="framework.queue.task:Task")
app.config_from_object("framework.queue.celery_settings")
app.autodiscover_tasks(lambda: ["framework.queue", *settings.DOMAINS.values()])
