"""gunicorn's settings. They read those of Django, so project/gunicorn.py says which, and then takes these over."""

import os
from typing import Any

from django.conf import settings

from framework.data import database
from framework.observe import exporter

bind = f"{settings.HOST}:{settings.PORT}"
worker_class = "framework.web.worker.Worker"
workers = settings.ENV.web_workers
threads = settings.ENV.web_threads
keepalive = 75  # seconds: longer than a proxy keeps an idle connection, or its next request meets a closed one
timeout = 30  # seconds without a sign of life, after which a worker is replaced; not a limit on requests
graceful_timeout = settings.ENV.web_grace
max_requests = settings.ENV.web_max_requests
max_requests_jitter = settings.ENV.web_max_requests // 10  # so that not all workers are replaced at once
control_socket_disable = True
# Workers show that they live by touching a file, which must not wait for a disk.
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108 - gunicorn makes the name
forwarded_allow_ips = ""  # TRUSTED_PROXIES decides, in framework/web/middleware.py
accesslog = None  # framework/web/middleware.py writes the one access line
logconfig_dict = {
    "version": 1,
    "disable_existing_loggers": False,
    "root": {},
    "loggers": {"gunicorn.error": {"propagate": True}},
}


def when_ready(server: Any) -> None:
    exporter.start("web")
    database.use_pool("web")  # workers are made after this, and inherit it
    database.check_room("web", workers)


def post_worker_init(worker: Any) -> None:
    from framework.queue import publisher  # it needs the models

    publisher.enable()
