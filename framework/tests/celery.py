from celery import Celery
from django.conf import settings

app = Celery("framework-tests", task_cls="framework.queue.task:Task")
app.config_from_object("framework.queue.celery_settings")
app.autodiscover_tasks(lambda: ["framework.queue", *settings.DOMAINS.values()])
