"""Programs that requirements/dev.txt installs, found without an activated environment: from editors, for one."""

import os
import shutil
import sys
from pathlib import Path

from django.core.management.base import CommandError


def path(name: str) -> str:
    """Where the program is: beside this Python, or on PATH. Raises CommandError when it is not installed."""
    beside = str(Path(sys.executable).parent)
    found = shutil.which(name, path=os.pathsep.join((beside, os.environ.get("PATH", os.defpath))))
    if found is None:
        raise CommandError(f"{name} is missing: pip install -r requirements/dev.txt")
    return found
