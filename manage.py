#!/usr/bin/env python
import os
import sys
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line

TOOLS = Path(__file__).resolve().parent / "tools" / "management" / "commands"  # not in the image


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
    if sys.argv[1:] and (TOOLS / f"{sys.argv[1]}.py").is_file():
        os.environ.setdefault("DEBUG", "1")  # commands for development, which are installed under DEBUG only
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.exit(f"{sys.argv[0]}: {error}")


if __name__ == "__main__":
    main()
