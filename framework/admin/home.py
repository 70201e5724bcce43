"""What the admin's front page and a user's page show, told by each app's `admin.py`:

    def attention(request) -> Iterator[Line]: ...           # what needs a person
    def about_user(request, user_id) -> Iterator[Line]: ...

Each shows only what the user of the request may view.
"""

from collections.abc import Iterator
from importlib import import_module
from typing import Any, NamedTuple

from django.apps import apps
from django.http import HttpRequest
from django.utils.module_loading import module_has_submodule

NEEDED = "Needs a person"


class Line(NamedTuple):
    text: str
    url: str = ""
    detail: str = ""
    section: str = NEEDED


def lines(name: str, request: HttpRequest, *args: Any) -> Iterator[Line]:
    """What the functions of this name say, in the order of INSTALLED_APPS."""
    for config in apps.get_app_configs():
        if module_has_submodule(config.module, "admin"):
            function = getattr(import_module(f"{config.name}.admin"), name, None)
            yield from function(request, *args) if function else ()


def sections(request: HttpRequest) -> dict[str, list[Line]]:
    """The front page's lines; the first section is there when it is empty, too."""
    found: dict[str, list[Line]] = {NEEDED: []}
    for line in lines("attention", request):
        found.setdefault(line.section, []).append(line)
    return found
