"""A plugin for mypy that only sets DEBUG, as `./run` does, so that the settings load where an editor starts mypy."""

import os

from mypy.plugin import Plugin


def plugin(version: str) -> type[Plugin]:
    os.environ.setdefault("DEBUG", "1")
    return Plugin
