"""The Celery application. Tasks are declared with `@shared_task` in a domain's `tasks.py`."""

import os
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

from celery import Celery, signals
from django.conf import settings

from project import capacity, database, exporter

TIME_LIMIT = 300  # seconds a task may run

RETRIES = {
    "max_retries": 1,  # of connecting, before the relay is told; it waits by itself
    "interval_start": 0,
    "interval_step": 0.2,
}
REDIS = {
    # A message whose worker died before it began comes back after this. So does one whose task runs for
    # longer; it is dropped, as the queue's table knows that the task is running.
    "visibility_timeout": 60,
    "socket_timeout": settings.REDIS_TIMEOUT,
    "socket_connect_timeout": settings.REDIS_TIMEOUT,
}
RABBITMQ = {
    "confirm_publish": True,  # a message counts as published once it is written down
    "connect_timeout": settings.REDIS_TIMEOUT,
}

app = Celery(settings.PROJECT_SLUG, task_cls="apps.infra.task:Task")
app.conf.update(
    broker_url=settings.CELERY_BROKER_URL,
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,  # an outage of an hour must not end the workers
    broker_transport_options=RETRIES | (RABBITMQ if settings.CELERY_BROKER_URL.startswith("amqp") else REDIS),
    task_publish_retry=False,  # the relay tries again by itself
    task_default_queue=settings.PROJECT_SLUG,
    task_serializer="json",
    accept_content=["json"],
    task_time_limit=TIME_LIMIT,
    task_soft_time_limit=TIME_LIMIT - 10,
    task_ignore_result=True,
    result_expires=None,
    worker_consumer="apps.infra.consumer:Consumer",
    worker_concurrency=capacity.cpus(),  # Celery's own default counts the machine's, whatever the container may use
    worker_prefetch_multiplier=1,  # a slow task must not hold others that wait behind it
    # Celery closes the database's connection around each task otherwise, and connecting costs more than a small task.
    # One that broke meanwhile is mended where the task begins (apps/infra/task.py).
    CELERY_DB_REUSE_MAX=1000,
    worker_cancel_long_running_tasks_on_connection_loss=False,
    beat_scheduler="apps.infra.scheduler:Scheduler",
    timezone=settings.CELERY_TIMEZONE,
)
app.autodiscover_tasks(lambda: ["apps.infra", *settings.DOMAINS.values()])


@signals.setup_logging.connect
def _keep_logging(**_: Any) -> None:
    """Settings have configured logging; without a receiver Celery would do it again, its own way."""


@signals.celeryd_init.connect
def _serve_metrics(**_: Any) -> None:
    exporter.start("worker")


@signals.worker_init.connect
def _check_room(sender: Any, **_: Any) -> None:
    database.check_room("worker", sender.concurrency)
