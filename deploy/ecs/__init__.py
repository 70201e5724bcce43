"""Compiles deploy/ecs/*.toml into CloudFormation: one stack to stand on and to migrate from, one of what serves.

It imports the settings, which under DEBUG need no secret: what runs on ECS is checked with stand-ins, and never DEBUG.
"""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
os.environ.setdefault("DEBUG", "1")
