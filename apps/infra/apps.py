from celery import signals
from django.apps import AppConfig
from django.db.backends.signals import connection_created
from django.db.models.signals import pre_migrate

from apps.common import ids, postgresql, work


class InfraConfig(AppConfig):
    name = "apps.infra"
    verbose_name = "Background work"

    def ready(self) -> None:
        work.guard_queries()
        connection_created.connect(ids.install_on_sqlite)
        connection_created.connect(postgresql.use_fast_timestamps)
        pre_migrate.connect(ids.install_on_postgresql, sender=self)
        from apps.infra import task  # it needs the models

        signals.task_unknown.connect(task.on_unknown)
