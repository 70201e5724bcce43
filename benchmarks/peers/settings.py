"""The project's own settings, middleware and logs included, with other URLs: BENCH_PEER names their module."""

import os

from project import settings as project_settings

globals().update({name: value for name, value in vars(project_settings).items() if name.isupper()})

PEER = os.environ["BENCH_PEER"]
ROOT_URLCONF = f"benchmarks.peers.{PEER}"
if PEER == "strawberry_django":
    # It needs a newer graphql-core than graphene-django allows.
    apps = [name for name in project_settings.INSTALLED_APPS if name != "graphene_django"]
    INSTALLED_APPS = [*apps, "strawberry_django"]
