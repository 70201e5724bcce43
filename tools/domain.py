"""What a domain has, read from its code: for `manage.py explain` and `manage.py split`."""

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

from django.core.management import get_commands
from django.utils.module_loading import module_has_submodule
from graphql.pyutils import snake_to_camel

from framework import discovery
from project.celery import app as celery


def module(package: str, name: str) -> Any:
    """The domain's module of that name; None when it has none."""
    return import_module(f"{package}.{name}") if module_has_submodule(import_module(package), name) else None


def tasks(package: str) -> tuple[str, ...]:
    celery.loader.import_default_modules()
    return tuple(sorted(name for name, task in celery.tasks.items() if task.__module__.startswith(f"{package}.")))


def schedules(package: str) -> Mapping[str, Mapping[str, Any]]:
    return getattr(module(package, "tasks"), "SCHEDULE", {})


def commands(package: str) -> tuple[str, ...]:
    return tuple(sorted(name for name, owner in get_commands().items() if owner == package))


def graphql_fields(package: str) -> Iterator[str]:
    """Names of its fields of Query and Mutation, as clients know them."""
    schema = module(package, "schema")
    for root in ("Query", "Mutation"):
        if hasattr(schema, root):
            yield from (snake_to_camel(name, upper=False) for name in getattr(schema, root)._meta.fields)


def contract(domain: str, package: str) -> Any:
    """The file descriptor of its wire contract; None for a domain that serves no gRPC."""
    return import_module(f"protos.{domain}.v1.{domain}_pb2").DESCRIPTOR if module(package, "rpc") else None


def methods(domain: str, package: str) -> tuple[str, ...]:
    """Names of its gRPC methods."""
    found = contract(domain, package)
    services = found.services_by_name.values() if found else ()
    return tuple(method.name for service in services for method in service.methods)


def callers(domain: str, domains: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(name for name, package in domains.items() if domain in discovery.calls(package))
