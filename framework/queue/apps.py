from celery import signals
from django.apps import AppConfig
from django.db.backends.signals import connection_created
from django.db.models.signals import pre_migrate

from framework import ids
from framework.data import postgresql
from framework.data.queries import guard_queries


class QueueConfig(AppConfig):
    name = "framework.queue"
    verbose_name = "Background work"

    def ready(self) -> None:
        guard_queries()
        connection_created.connect(ids.install_on_sqlite)
        connection_created.connect(postgresql.use_fast_timestamps)
        pre_migrate.connect(ids.install_on_postgresql, sender=self)
        from framework.queue import task  # it needs the models

        signals.task_unknown.connect(task.on_unknown)
