"""Which domains there are, and their modules. DOMAINS is the one registry; nothing registers itself."""

import re
from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import module_has_submodule

ALWAYS = "accounts"  # it holds AUTH_USER_MODEL
_IMPORT = re.compile(r"^\s*from apps\.(\w+)(?:\.public)? import", re.MULTILINE)


def packages(domains: Iterable[str]) -> dict[str, str]:
    """The package of each domain by its name: `catalog` -> `apps.catalog`, `acme.billing` -> itself.

    Raises ImproperlyConfigured for a domain that is not there, and for two of one name.
    """
    found: dict[str, str] = {}
    for domain in dict.fromkeys((ALWAYS, *domains)):
        package = domain if "." in domain else f"apps.{domain}"
        name = package.rpartition(".")[2]
        if not _is_domain(package):
            raise ImproperlyConfigured(
                f"DOMAINS names {domain!r}, but there is no domain {package}. In apps/ there are: {_shipped()}."
            )
        if found.setdefault(name, package) != package:
            raise ImproperlyConfigured(f"DOMAINS names two domains {name!r}: {found[name]} and {package}.")
    return found


def check_calls(here: Mapping[str, str], elsewhere: Mapping[str, str]) -> None:
    """Raise ImproperlyConfigured when a domain calls one that is neither here nor reachable."""
    for name, package in here.items():
        for callee in calls(package):
            if callee not in here and callee not in elsewhere:
                raise ImproperlyConfigured(
                    f"The domain {name!r} calls {callee!r}: add it to DOMAINS, or set {callee.upper()}_URL."
                )


def calls(package: str) -> tuple[str, ...]:
    """The names of the domains that this one calls, read from its imports; its tests do not count."""
    spec = find_spec(package)
    folder = Path(str(spec.origin if spec else "")).parent
    own = package.rpartition(".")[2]
    files = (path for path in folder.rglob("*.py") if "tests" not in path.relative_to(folder).parts)
    return tuple(sorted({name for path in files for name in _IMPORT.findall(path.read_text())} - {own}))


def modules(name: str, *, remote: bool = False) -> Iterator[ModuleType]:
    """`<domain>.<name>` of every domain that has it: silent when absent, loud when broken.

    With `remote`, also of the domains that run elsewhere.
    """
    domains = settings.DOMAINS | ({n: f"apps.{n}" for n in settings.REMOTE_DOMAINS} if remote else {})
    for package in domains.values():
        if module_has_submodule(import_module(package), name):
            yield import_module(f"{package}.{name}")


def unique(kind: str, names: Iterable[tuple[str, ModuleType]]) -> None:
    """Raise ImproperlyConfigured when two modules give the same name, naming both."""
    owners: dict[str, str] = {}
    for name, module in names:
        owner = owners.setdefault(name, module.__name__)
        if owner != module.__name__:
            raise ImproperlyConfigured(f"The {kind} {name!r} is declared by both {owner} and {module.__name__}.")


def _is_domain(package: str) -> bool:
    try:
        return find_spec(f"{package}.apps") is not None
    except ModuleNotFoundError:
        return False


def _shipped() -> str:
    folder = Path(str(import_module("apps").__file__)).parent
    return ", ".join(sorted(path.parent.name for path in folder.glob("*/public.py")))
