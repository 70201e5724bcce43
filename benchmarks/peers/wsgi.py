"""The project's own settings, middleware and logs included, with other URLs: BENCH_PEER names their module."""

import os
from importlib import import_module

from django.conf import settings
from django.core.wsgi import get_wsgi_application

import project  # noqa: F401  # first, as it reads the settings itself

PEER = os.environ["BENCH_PEER"]

settings.ROOT_URLCONF = f"benchmarks.peers.{PEER}"
if PEER == "strawberry_django":
    # It needs a newer graphql-core than graphene-django allows.
    settings.INSTALLED_APPS = [app for app in settings.INSTALLED_APPS if app != "graphene_django"] + [PEER]

application = get_wsgi_application()
import_module(settings.ROOT_URLCONF)
