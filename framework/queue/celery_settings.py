"""Celery's settings (`app.config_from_object`), and what a worker does when it starts."""

from typing import Any

from celery import signals
from django.conf import settings

from framework.data import database
from framework.observe import exporter
from framework.queue.broker import queues

TIME_LIMIT = 300.0  # seconds a task may run, unless it has a time_limit of its own; then its process is killed
SOFT_LIMIT = 0.97  # of the time limit: then SoftTimeLimitExceeded is raised in the task
_RETRIES = {
    "max_retries": 1,  # of connecting, before the relay gets the error; it waits and retries by itself
    "interval_start": 0,
    "interval_step": 0.2,
}
_REDIS = {
    # A message whose worker died before it began comes back after this. So does the message of a task that runs
    # longer; the worker drops that copy, as the row says that the task is running.
    "visibility_timeout": 45,
    "queue_order_strategy": "priority",  # bulk only when no other message waits
    "socket_timeout": settings.REDIS_TIMEOUT,
    "socket_connect_timeout": settings.REDIS_TIMEOUT,
}
_RABBITMQ = {
    "confirm_publish": True,  # a message counts as published once RabbitMQ has stored it
    "connect_timeout": settings.REDIS_TIMEOUT,
}

broker_url = settings.CELERY_BROKER_URL
broker_connection_retry_on_startup = True
broker_connection_max_retries = None  # an outage of an hour must not end the workers
broker_transport_options = _RETRIES | (_RABBITMQ if broker_url.startswith("amqp") else _REDIS)
task_publish_retry = False  # the relay tries again by itself
task_default_queue = settings.PROJECT_SLUG
task_queues = queues(task_default_queue)
task_serializer = "json"
accept_content = ["json"]
task_time_limit = TIME_LIMIT
task_soft_time_limit = TIME_LIMIT * SOFT_LIMIT
task_ignore_result = True
result_expires = None
worker_consumer = "framework.queue.consumer:Consumer"
worker_concurrency = settings.WORKER_PROCESSES  # Celery's own default counts the machine's CPUs, not the container's
worker_prefetch_multiplier = 1  # a slow task must not hold others that wait behind it
# Celery closes the database's connection around each task otherwise, and connecting costs more than a small task.
# A broken connection is replaced when the next task begins (framework/queue/task.py).
CELERY_DB_REUSE_MAX = 1000
worker_cancel_long_running_tasks_on_connection_loss = False
beat_scheduler = "framework.queue.scheduler:Scheduler"
timezone = settings.CELERY_TIMEZONE


@signals.setup_logging.connect
def _keep_logging(**_: Any) -> None:
    """Django's settings have configured logging: a receiver of this signal keeps Celery from replacing it."""


@signals.celeryd_init.connect
def _serve_metrics(**_: Any) -> None:
    exporter.start("worker")


@signals.worker_init.connect
def _prepare(sender: Any, **_: Any) -> None:
    from framework.queue import publisher  # it needs the models

    database.check_room("worker", sender.concurrency)
    publisher.enable()
