"""gunicorn's settings: `gunicorn -c python:project.gunicorn project.wsgi`."""

from django.conf import settings

from project.env import load

_env = load()

bind = f"{settings.HOST}:{settings.PORT}"
worker_class = "gthread"
workers = _env.web_workers
threads = _env.web_threads
reload = settings.DEBUG
control_socket_disable = True
worker_tmp_dir = None
graceful_timeout = 20  # seconds for requests in flight after SIGTERM
accesslog = None  # project/middleware.py writes the one access line
logconfig_dict = {
    "version": 1,
    "disable_existing_loggers": False,
    "root": {},
    "loggers": {"gunicorn.error": {"propagate": True}},
}
