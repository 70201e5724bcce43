"""The pytest plugin: `-p framework.testing.plugin` in pytest.ini.

When pytest starts, and before Django's settings are loaded, it chooses development mode, a data folder of the run's
own and, unless REDIS_URL is set, starts a Valkey. With DATABASE_URL and REDIS_URL set, the same tests run on those
servers. Importing this module does nothing. The fixtures are in `framework.testing.fixtures`.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from framework.testing import servers

MARKERS = (
    "postgresql: needs PostgreSQL; skipped on SQLite",
    "browser: needs Chromium; skipped where it is not installed",
)
WARNINGS = ("error::RuntimeWarning", "ignore:No directory at:UserWarning")


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Iterator[None]:
    """Prepare the environment around pytest-django's hook of the same name, which loads the settings."""
    stack = ExitStack()
    early_config.add_cleanup(stack.close)
    _prepare(stack)
    yield
    early_config.pluginmanager.import_plugin("framework.testing.fixtures")


def _prepare(stack: ExitStack) -> None:
    os.environ.setdefault("DEBUG", "1")
    if "DATA_DIR" not in os.environ:  # so that two runs at once, or a running system, do not share files
        folder = tempfile.TemporaryDirectory(prefix="data-", ignore_cleanup_errors=True)
        os.environ["DATA_DIR"] = stack.enter_context(folder)
    if "REDIS_URL" not in os.environ:
        os.environ["REDIS_URL"] = stack.enter_context(servers.valkey())


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write-access", action="store_true", help="write the access matrix anew: project/access.md")


def pytest_configure(config: pytest.Config) -> None:
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)
    for warning in WARNINGS:
        config.addinivalue_line("filterwarnings", warning)
