"""`manage.py new domain billing.Invoice number:str! ...`: makes a domain, or takes the last one back."""

import difflib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.management import get_commands
from django.core.management.base import BaseCommand, CommandError, CommandParser

from project.env import Env
from tools.new import extend, extra, generate, render
from tools.new import field as adding
from tools.new.journal import Changed, Journal
from tools.new.model import DOORS, Model
from tools.new.names import NameRefused
from tools.new.spec import SpecRefused, parse, parse_fields

Change = tuple[str, Mapping[str, str]]  # the domain, and the text of each file by its path


class Command(BaseCommand):
    help = "Makes a domain, or what is to be in one: new domain billing.Invoice number:str!, new task billing.remind"
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("what", nargs="?", choices=tuple(MAKERS))
        parser.add_argument("target", nargs="?", metavar="domain.Model", help="as in billing.Invoice")
        parser.add_argument(
            "fields",
            nargs="*",
            metavar="name:type",
            help="! is unique, ? nullable, =... the default: docs/add-a-domain.md",
        )
        parser.add_argument("--doors", default="", help=f"only these, of {','.join(DOORS)}")
        parser.add_argument("--dry-run", action="store_true", help="show what would be written, and write nothing")
        parser.add_argument("--undo", action="store_true", help="take the last generation back")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["undo"]:
            self._undo()
            return
        if not options["target"]:
            raise CommandError("Say what to make, as in: new domain billing.Invoice number:str! total:money")
        try:
            domain, made = MAKERS[options["what"]](options)
            texts = {path: generate.tidied(settings.BASE_DIR, path, text) for path, text in made.items()}
            self._show(texts) if options["dry_run"] else self._write(options["target"], domain, texts)
        except (SpecRefused, NameRefused) as error:
            raise CommandError(str(error)) from None

    def _write(self, name: str, domain: str, texts: Mapping[str, str]) -> None:
        try:
            changed = generate.write(settings.BASE_DIR, name, domain, texts, _journal())
        except RuntimeError as error:
            raise CommandError(f"Nothing was kept, as a step failed. {error}") from None
        for path, before in sorted(changed.items()):
            self.stdout.write(f"{'new    ' if before is None else 'changed'}  {path}")
        self.stdout.write(self.style.SUCCESS(f"Next: ./run test apps/{domain}, or ./run new --undo"))

    def _show(self, texts: Mapping[str, str]) -> None:
        for path, text in texts.items():
            file = settings.BASE_DIR / path
            if not file.exists():
                self.stdout.write(f"new      {path} ({text.count(chr(10))} lines)")
                continue
            old, new = file.read_text().splitlines(), text.splitlines()
            self.stdout.write("\n".join(difflib.unified_diff(old, new, path, path, lineterm="")))
        self.stdout.write(
            "And what is made from these: generated contracts, a migration, settings docs, schema.graphql."
        )

    def _undo(self) -> None:
        try:
            name = _journal().pop()
        except Changed as error:
            lines = "\n".join(f"  {path}" for path in error.paths)
            raise CommandError(f"Changed since it was generated, so nothing is undone:\n{lines}") from None
        if name is None:
            raise CommandError("There is no generation to undo.")
        self.stdout.write(self.style.SUCCESS(f"{name} was taken back."))


def _domain(options: Mapping[str, Any]) -> Change:
    model = parse(options["target"], options["fields"], models=_models(), doors=options["doors"])
    _check_free(model)
    source = (settings.BASE_DIR / "project" / "env.py").read_text()
    return model.domain, render.files(model) | {"project/env.py": generate.with_domain(source, model.domain)}


def _journal() -> Journal:
    return Journal(settings.BASE_DIR, settings.DATA_DIR / "new.json")


def _models() -> list[str]:
    """The models that a reference can name: those whose domain can be asked for them."""
    return [model._meta.label for label in settings.DOMAINS for model in apps.get_app_config(label).get_models()]


def _check_free(model: Model) -> None:
    """Raises SpecRefused for names that are taken."""
    labels = {config.label for config in apps.get_app_configs()} | set(Env.model_fields["domains"].default)
    if model.domain in labels or (settings.BASE_DIR / "apps" / model.domain).exists():
        raise SpecRefused(f"There is {model.domain!r} already: choose another name for the domain.")
    _check_schema(model)


def _check_schema(model: Model) -> None:
    if "graphql" not in model.doors:
        return
    from project.schema import schema

    types = schema.graphql_schema.type_map
    own = [model.name, f"{model.name}Connection", f"Create{model.name}", *(field.enum for field in model.enums)]
    if taken := [name for name in own if name in types]:
        raise SpecRefused(f"GraphQL has a type {taken[0]!r} already: choose another name for the model.")
    query = schema.graphql_schema.query_type
    roots = query.fields if query else {}
    if taken := [name for name in (render.graphql(model.one), render.graphql(model.many)) if name in roots]:
        raise SpecRefused(f"GraphQL has a field {taken[0]!r} already: choose another name for the model.")


def _existing(target: str) -> tuple[str, Path]:
    """The domain of the target, and its folder. Raises SpecRefused."""
    domain = target.partition(".")[0]
    package = settings.BASE_DIR / "apps" / domain
    if domain not in settings.DOMAINS or not package.is_dir():
        raise SpecRefused(f"There is no domain {domain!r} in apps/: make it by ./run new domain.")
    return domain, package


def _extra(options: Mapping[str, Any]) -> Change:
    domain, _ = _existing(options["target"])
    if options["what"] == "command" and options["target"].partition(".")[2] in get_commands():
        raise SpecRefused("manage.py has a command of that name already: choose another.")
    return domain, extra.texts(settings.BASE_DIR, options["what"], options["target"])


def _model(options: Mapping[str, Any]) -> Change:
    domain, package = _existing(options["target"])
    name = options["target"].partition(".")[2]
    doors = options["doors"] or ",".join(door for door, owned in render.DOORS.items() if (package / owned[0]).exists())
    model = parse(options["target"], options["fields"], models=_models(), doors=doors)
    if f"{domain}.{name}" in _models():
        raise SpecRefused(f"There is a model {options['target']!r} already: choose another name.")
    _check_schema(model)
    return domain, extend.texts(settings.BASE_DIR, model)


def _field(options: Mapping[str, Any]) -> Change:
    model = parse_fields(options["target"], options["fields"], models=_models())
    names = {column.name for column in apps.get_model(options["target"])._meta.get_fields()}
    for field in model.fields:
        adding.check(field)
        if field.name in names:
            raise SpecRefused(f"{options['target']} has a field {field.name!r} already: choose another name.")
    return model.domain, adding.texts(settings.BASE_DIR, model)


MAKERS: dict[str, Callable[[Mapping[str, Any]], Change]] = {
    "domain": _domain,
    "model": _model,
    "field": _field,
    **dict.fromkeys(extra.KINDS, _extra),
}
