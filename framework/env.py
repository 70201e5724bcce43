"""Environment variables: helpers for their declaration, and the errors that a bad value gets."""

import os
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, TypeVar
from urllib.parse import unquote, urlsplit

import dj_database_url
import structlog
from django.core.exceptions import ImproperlyConfigured
from pydantic import BeforeValidator, SecretStr, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode

E = TypeVar("E", bound=BaseSettings)
_log = structlog.get_logger(__name__)


def _split(value: object) -> object:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


CommaSeparated = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]


def check_postgres(url: str, *, otherwise: str) -> None:
    """Raise ValueError for what is no PostgreSQL URL; `otherwise` is what an empty variable means."""
    if not url.startswith(("postgres://", "postgresql://")):
        raise ValueError(f"must begin with postgres:// (leave it empty for {otherwise})")
    if not dj_database_url.parse(url).get("NAME"):
        raise ValueError("must end with the database's name: postgres://user:password@host:port/name")


def load(declaration: type[E]) -> E:
    """Read and check all variables of the declaration.

    Raises ImproperlyConfigured with every problem at once: the variable, what was read (secrets masked), and
    what is accepted.
    """
    folder = Path(os.environ.get("SECRETS_DIR") or declaration.model_fields["secrets_dir"].default)
    try:
        return declaration(_secrets_dir=folder if folder.is_dir() else None)
    except ValidationError as error:
        lines = "\n".join(f"  {_describe(declaration, problem)}" for problem in error.errors())
        raise ImproperlyConfigured(
            f"{error.error_count()} environment variable(s) cannot be used; docs/settings.md lists all:\n{lines}"
        ) from None


def _describe(declaration: type[BaseSettings], problem: ErrorDetails) -> str:
    name = str(problem["loc"][0])
    accepted = problem["msg"].removeprefix("Value error, ")
    return f"{name.upper()}={_shown(declaration, name, problem['input'])}: {accepted}"


def _shown(declaration: type[BaseSettings], name: str, value: Any) -> str:
    if is_secret(declaration, name):
        if value == declaration.model_fields[name].default or value == "":
            return "(empty)"
        return "********"
    return repr(value) if value not in ("", ()) else "(empty)"


def is_secret(declaration: type[BaseSettings], name: str) -> bool:
    return declaration.model_fields[name].annotation is SecretStr


def domain_urls(environ: Mapping[str, str], folder: Path, domains: tuple[str, ...]) -> dict[str, str]:
    """Where the domains live that run elsewhere: `CATALOG_URL=grpc://host:port`, for each one not in DOMAINS."""
    names = {path.parent.name for path in folder.glob("*/public.py")} - set(domains)
    found = {name: environ.get(f"{name.upper()}_URL", "") for name in sorted(names)}
    for name, url in found.items():
        if url and not url.startswith(("grpc://", "grpcs://")):
            raise ImproperlyConfigured(
                f"{name.upper()}_URL={url!r}: must be grpc://host:port, or grpcs://host:port for TLS"
            )
    return {name: url for name, url in found.items() if url}


def warn_of_misspelled(declaration: type[BaseSettings], environ: Mapping[str, str], folder: Path) -> None:
    """Log a warning for each variable that is not read, but whose name is nearly that of one that is."""
    known = {name.upper() for name in declaration.model_fields}
    known |= {f"{path.parent.name.upper()}_URL" for path in folder.glob("*/public.py")}
    for name in sorted(environ.keys() - known):
        if nearest := get_close_matches(name, known, n=1, cutoff=0.9):
            _log.warning("environment variable is not read", variable=name, did_you_mean=nearest[0])


def make_data_dir(folder: Path) -> None:
    """Make DATA_DIR unless it exists. Raises ImproperlyConfigured when that is impossible."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ImproperlyConfigured(
            f"DATA_DIR={folder}: cannot be made ({error.strerror}). Set it to a folder that this user may write."
        ) from None


def traces_exporter(env: Any) -> str:
    """Where traces go, `otlp` or `console`; empty when none are to be made."""
    wanted = env.otel_traces_exporter or ("otlp" if env.otel_exporter_otlp_endpoint else "none")
    return "" if wanted == "none" else wanted


def postgres(url: str) -> dict[str, Any]:
    """Django's settings of a PostgreSQL database."""
    found: dict[str, Any] = dict(dj_database_url.parse(url, conn_max_age=None))
    found.setdefault("OPTIONS", {})
    # A cursor kept by the server outlives its transaction, which PgBouncer does not know of.
    return found | {"DISABLE_SERVER_SIDE_CURSORS": True}


def sqlite(path: Path, test: Path) -> dict[str, Any]:
    """Django's settings of an SQLite database, for several processes of one machine."""
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": path,
        "CONN_MAX_AGE": None,
        # Several processes write to one file: IMMEDIATE makes them queue at BEGIN, where waiting works,
        # and the queue is unfair, so the wait has to be long.
        "OPTIONS": {
            "timeout": 20,
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        },
        "TEST": {"NAME": test},  # a file, as server threads need the same one
    }


def redis_cache(url: str, prefix: str, timeout: float) -> dict[str, Any]:
    """Django's settings of a cache in Redis."""
    return {
        "BACKEND": "framework.data.cache.RedisCache",
        "LOCATION": url,
        "KEY_PREFIX": prefix,
        "OPTIONS": {"socket_timeout": timeout, "socket_connect_timeout": timeout},
    }


def email_settings(url: str) -> dict[str, Any]:
    """Django's EMAIL_* settings from `smtp://user:password@host:port` (`smtps` for TLS from the start).

    Raises ValueError for any other scheme.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
        raise ValueError("must be smtp://user:password@host:port, or smtps:// for TLS")
    return {
        "EMAIL_BACKEND": "framework.mail.SmtpBackend",
        "EMAIL_HOST": parts.hostname,
        "EMAIL_PORT": parts.port or (465 if parts.scheme == "smtps" else 587),
        "EMAIL_HOST_USER": unquote(parts.username or ""),
        "EMAIL_HOST_PASSWORD": unquote(parts.password or ""),
        "EMAIL_USE_SSL": parts.scheme == "smtps",
        "EMAIL_USE_TLS": parts.scheme == "smtp" and bool(parts.username),
        "EMAIL_TIMEOUT": 10,
    }
