"""gunicorn's settings: `gunicorn -c python:project.gunicorn project.wsgi`. What is set here wins."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

from framework.web.gunicorn import *  # noqa: F403 - reads the settings
