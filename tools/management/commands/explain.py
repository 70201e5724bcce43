"""`manage.py explain [NAME]`: the domains and what each has, always read from the code."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import Model
from django.urls import URLPattern, URLResolver

from framework import discovery
from project import urls
from project.env import Env
from tools import domain as read

FILES = ("models", "entities", "repository", "services", "rules", "client", "rpc", "schema", "admin", "imports", "fake")


class Command(BaseCommand):
    help = "Shows the domains: whom they call, fields and where each is named, GraphQL, gRPC, tasks, schedules, routes."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", nargs="?", help="only this domain")
        parser.add_argument("--json", action="store_true", help="for programs")

    def handle(self, *args: Any, **options: Any) -> None:
        found = explain(options["name"])
        if options["json"]:
            self.stdout.write(json.dumps(found, indent=2))
            return
        for line in _lines(found):
            self.stdout.write(line)


def explain(name: str | None = None) -> dict[str, Any]:
    """One domain; without a name, all of them, the routes and the settings. Raises CommandError for an unknown one."""
    if name is None:
        domains = {domain: describe(domain, package) for domain, package in settings.DOMAINS.items()}
        return {"domains": domains, "routes": list(_routes(urls.urlpatterns)), "settings": _settings()}
    if name not in settings.DOMAINS:
        raise CommandError(f"There is no domain {name!r}. Here are: {', '.join(settings.DOMAINS)}.")
    return {name: describe(name, settings.DOMAINS[name])}


def describe(name: str, package: str) -> dict[str, Any]:
    """What the domain has, by kind; kinds that it has nothing of are left out."""
    own_urls = read.module(package, "urls")
    found: dict[str, Any] = {
        "owns": " ".join((read.module(package, "__init__").__doc__ or "").split()),
        "calls": list(discovery.calls(package)),
        "called by": list(read.callers(name, settings.DOMAINS)),
        "fields": _fields(name),
        "GraphQL": list(read.graphql_fields(package)),
        "gRPC": list(read.methods(name, package)),
        "tasks": list(read.tasks(package)),
        "schedules": {key: str(entry["schedule"]) for key, entry in read.schedules(package).items()},
        "routes": list(_routes(own_urls.urlpatterns, f"{name}/")) if own_urls else [],
        "commands": list(read.commands(package)),
    }
    return {kind: value for kind, value in found.items() if value}


def _fields(domain: str) -> dict[str, dict[str, list[str]]]:
    """Of each model, each field and the lines that name it first in each file."""
    config = apps.get_app_config(domain)
    files = [Path(config.path, f"{name}.py") for name in FILES]
    files += sorted((settings.BASE_DIR / "protos" / domain).glob("**/*.proto"))
    texts = {path: path.read_text().splitlines() for path in files if path.exists()}
    return {
        model.__name__: {field.name: list(_named(field.name, model.__name__, texts)) for field in _columns(model)}
        for model in config.get_models()
    }


def _columns(model: type[Model]) -> list[Any]:
    return [field for field in model._meta.local_fields if not field.primary_key]


def _named(field: str, model: str, texts: Mapping[Path, list[str]]) -> Iterator[str]:
    """In each file the first line that names the field, after that of the class or message called like the model."""
    own, word = re.compile(rf"\s*(class|message) {model}\b"), re.compile(rf"\b{field}\b")
    for path, lines in texts.items():
        start = next((index for index, line in enumerate(lines) if own.match(line)), 0)
        found = next((index for index in range(start, len(lines)) if word.search(lines[index])), None)
        if found is not None:
            yield f"{path.relative_to(settings.BASE_DIR)}:{found + 1}"


def _routes(patterns: list[Any], before: str = "") -> Iterator[str]:
    """Paths below those of packages are left to their documentation."""
    for pattern in patterns:
        if isinstance(pattern, URLPattern | URLResolver):
            yield f"/{before}{pattern.pattern}"


def _settings() -> dict[str, str]:
    return {name.upper(): str(field.description) for name, field in Env.model_fields.items()}


def _lines(value: Any, indent: str = "") -> Iterator[str]:
    """As text: a line for each name, and what it has below it, or beside it when that is short."""
    for name, inner in value.items():
        if isinstance(inner, dict):
            yield f"{indent}{name}"
            yield from _lines(inner, f"{indent}  ")
        else:
            yield f"{indent}{name}: {', '.join(inner) if isinstance(inner, list) else inner}"
