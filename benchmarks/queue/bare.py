"""Celery alone: its messages are acknowledged late and are its only trace, so a broker that is wiped loses them."""

import os

from celery import Celery

from benchmarks.faults.probe.stamps import stamp

app = Celery("bare", broker=os.environ["REDIS_URL"], set_as_current=False)
app.conf.update(task_acks_late=True, worker_prefetch_multiplier=1, task_ignore_result=True)
work = app.task(name="bare.work")(stamp)
