"""The environment variables of every product; `project/env.py` adds the product's own."""

import hashlib
import re
from dataclasses import fields
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, FilePath, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from framework.env import CommaSeparated, check_postgres, email_settings
from framework.graphql.limits import Limits
from framework.grpc.tokens import parse_tokens

DEVELOPMENT_KEY = "insecure-development-key"
DEVELOPMENT_TOKEN = "development-token"  # noqa: S105 - the README's, refused in production
_CURE = "make one by python3 -c 'import secrets; print(secrets.token_urlsafe(32))'"
_ORIGIN = re.compile(r"(http(?!.*:80$)|https(?!.*:443$))://([a-z0-9.-]+|\[[0-9a-f:]+\])(:[1-9][0-9]{0,4})?")


def _limits(value: object) -> object:
    if not isinstance(value, str):
        return value
    known = {field.name for field in fields(Limits)}
    given: dict[str, int] = {}
    for part in filter(None, value.split(",")):
        name, _, number = part.strip().partition("=")
        if name not in known or not number.isdigit() or int(number) < 1:
            raise ValueError(f"must be name=number pairs, of: {', '.join(sorted(known))}; {part!r} is not")
        given[name] = int(number)
    return Limits(**given)


def _is_guessable(token: str) -> bool:
    """Whether a token is the README's, given as it is or hashed, or of a few characters only."""
    hashed = f"sha256={hashlib.sha256(DEVELOPMENT_TOKEN.encode()).hexdigest()}"
    return token in (DEVELOPMENT_TOKEN, hashed) or len(set(token.removeprefix("sha256="))) < 5


class Variables(BaseSettings):
    """The variables, in the order in which the documents list them, the product's own last.

    A validator may look at the variables declared above its own.
    """

    model_config = SettingsConfigDict(extra="ignore", env_ignore_empty=True, validate_default=True)

    secrets_dir: str = Field(
        "/run/secrets",
        description="A folder with a file for each secret, named as its variable in lower case (`secret_key`): read"
        " for what the environment leaves out.",
    )
    debug: bool = Field(False, description="Development mode: insecure defaults, tracebacks, GraphiQL.")
    secret_key: SecretStr = Field(
        SecretStr(DEVELOPMENT_KEY),
        description="Signs sessions and tokens; required unless DEBUG, at least 50 random characters.",
    )
    allowed_hosts: CommaSeparated = Field((), description="Host names this site answers to; required unless DEBUG.")
    csrf_trusted_origins: CommaSeparated = Field(
        (),
        description="This site's own origins (`https://www.example.com`), where a proxy changes the Host header.",
    )
    cors_allowed_origins: CommaSeparated = Field(
        (),
        description="Other origins (`https://app.example.com`) whose pages may use /graphql, with cookies.",
    )
    secure_cookies: bool = Field(True, description="Cookies and redirects for HTTPS only; always off under DEBUG.")
    hsts: str = Field(
        "",
        pattern=r"^([1-9]\d*(; *includeSubDomains(; *preload)?)?)?$",
        description="Seconds for which browsers shall refuse plain HTTP: `31536000`, `31536000; includeSubDomains` or"
        " `31536000; includeSubDomains; preload`. It cannot be taken back before. Empty: not sent.",
    )
    session_days: int = Field(7, ge=1, le=365, description="Days a customer stays logged in.")
    session_idle_hours: int = Field(48, ge=1, le=8760, description="Hours without a request that log a customer out.")
    staff_session_hours: int = Field(8, ge=1, le=720, description="Hours a staff user stays logged in.")
    staff_session_idle_minutes: int = Field(
        60, ge=5, le=43_200, description="Minutes without a request that log a staff user out."
    )
    audit_days: int = Field(730, ge=30, le=36_500, description="Days that the audit of changes is kept.")
    trusted_proxies: CommaSeparated = Field(
        (),
        description="Addresses and networks (`10.0.0.0/16`) of the proxies in front, whose X-Forwarded-For and"
        " X-Forwarded-Proto are believed; nobody else's are.",
    )

    host: str = Field("127.0.0.1", description="The address to listen on; 0.0.0.0 for every interface.")
    port: int = Field(8000, ge=1, le=65535, description="Port of the web server.")
    https: bool = Field(
        False, description="`./run` serves https, by a certificate that it makes in DATA_DIR. Under DEBUG only."
    )
    grpc_port: int = Field(50051, ge=1, le=65535, description="Port of the gRPC server.")
    web_threads: int = Field(4, ge=1, le=64, description="Threads of each web worker.")
    web_workers: int = Field(2, ge=1, le=64, description="Worker processes of the web server: one for each CPU.")
    web_grace: int = Field(20, ge=1, le=110, description="Seconds that requests in flight get to finish after SIGTERM.")
    web_max_requests: int = Field(
        0, ge=0, description="Requests after which a web worker is replaced, one in ten sooner or later; 0 for never."
    )
    worker_processes: int = Field(2, ge=1, le=64, description="Processes of a worker: tasks it runs at once.")
    worker_grace: int = Field(
        60, ge=1, le=110, description="Seconds that running tasks get to finish after SIGTERM; the rest runs elsewhere."
    )

    allow_sqlite: bool = Field(False, description="Permit SQLite although DEBUG is off: for one machine only.")
    database_url: SecretStr = Field(
        SecretStr(""),
        description="`postgres://user:password@host:port/name`. Empty: an embedded SQLite in DATA_DIR.",
    )
    database_replica_url: SecretStr = Field(
        SecretStr(""),
        description="A replica of that database: answers the reads that may be a little old (docs/scaling.md)."
        " Empty: DATABASE_URL answers all.",
    )
    database_pool: int | None = Field(
        None,
        ge=0,
        le=200,
        description="Connections in the pool of a web or gRPC process; 0 for no pool. Empty: one for each thread.",
    )
    redis_url: SecretStr = Field(
        SecretStr(""), description="`redis://host:port/0`. Empty: an embedded Valkey on VALKEY_PORT."
    )
    broker_url: SecretStr = Field(
        SecretStr(""),
        description="`amqp://user:password@host:5672/vhost` (amqps for TLS): RabbitMQ carries the tasks, Redis stays"
        " the cache. Or another Redis. Empty: REDIS_URL.",
    )
    valkey_port: int = Field(6399, ge=1, le=65535, description="Loopback port of the embedded Valkey.")
    shard_id: int = Field(0, ge=0, le=63, description="Which shard this database is: stands in every id it makes.")

    grpc_tokens: SecretStr = Field(
        SecretStr(""),
        description="Tokens of the services that call: `name:token` or `name:token:scope+scope`, comma-separated; two"
        " of one name while rotating. `sha256=<hex of its SHA-256>` can stand for a token, `certificate` for that of"
        " GRPC_TLS_CLIENT_CA. Without scopes, a service may call everything on its own behalf, but act for nobody:"
        " docs/grpc.md lists the scopes.",
    )
    grpc_threads: int = Field(4, ge=1, le=64, description="Threads of each gRPC process.")
    grpc_streams: int = Field(
        4, ge=1, le=64, description="Answers a gRPC process streams at once, each in a thread beside GRPC_THREADS."
    )
    grpc_max_calls: int = Field(
        100, ge=1, description="Calls a gRPC process takes at once, running and waiting; more: RESOURCE_EXHAUSTED."
    )
    grpc_max_message: int = Field(4, ge=1, le=1024, description="Largest gRPC message received, in MiB.")
    grpc_default_deadline: float = Field(
        30, gt=0, description="Seconds a gRPC call may take when its client set no deadline."
    )
    grpc_grace: float = Field(30, ge=0, description="Seconds that calls in flight get to finish after SIGTERM.")
    grpc_reflection: bool | None = Field(None, description="gRPC server reflection. Empty: as DEBUG.")
    grpc_tls_cert: FilePath | None = Field(None, description="PEM certificate chain of the gRPC server: turns TLS on.")
    grpc_tls_key: FilePath | None = Field(None, description="PEM private key of GRPC_TLS_CERT.")
    grpc_tls_client_ca: FilePath | None = Field(
        None, description="PEM authority whose certificates callers must show, beside their token."
    )
    grpc_call_token: SecretStr = Field(
        SecretStr(""), description="The token this process calls domains that run elsewhere with."
    )
    grpc_call_ca: FilePath | None = Field(
        None, description="PEM authority of the gRPC servers called. Empty: the system's."
    )
    grpc_call_cert: FilePath | None = Field(None, description="PEM certificate to show the gRPC servers called.")
    grpc_call_key: FilePath | None = Field(None, description="PEM private key of GRPC_CALL_CERT.")
    email_url: SecretStr = Field(
        SecretStr(""),
        description="`smtp://user:password@host:port` or `smtps://`."
        " Empty: mail goes to the page /mailbox/ under DEBUG, and is lost otherwise.",
    )
    public_url: str = Field(
        "",
        pattern="^(https?://[^/?#]+(/[^?#]*[^/?#])?)?$",
        description="Where the single-page app is, for links in mails: `https://app.example.com`. Its pages /signup and"
        " /password/reset are linked to. Empty: the pages of this site.",
    )
    default_from_email: str = Field("", description="Sender of mail. Empty: PROJECT_NAME at localhost.")

    graphql_limits: Annotated[Limits, NoDecode, BeforeValidator(_limits)] = Field(
        Limits(), description="Changes to the limits of docs/graphql.md: `depth=15,tokens=3000`."
    )
    graphql_introspection: bool | None = Field(
        None, description="Let clients read the schema, and suggest names. Empty: as DEBUG."
    )
    graphql_allowed_documents: Path | None = Field(
        None, description="A manifest of persisted documents; nothing else is executed then."
    )
    graphql_executor: Literal["compiled", "stock"] = Field(
        "compiled", description="`stock` executes with graphql-core's own interpreter."
    )
    graphql_rate: int = Field(
        6000, ge=0, description="Requests a minute that a web process takes of one user or address; 0 for any number."
    )
    graphql_timeout: float = Field(10, gt=0, le=600, description="Seconds a request may take.")
    graphiql: bool | None = Field(None, description="GraphiQL at /graphql. Empty: as DEBUG.")
    release: str = Field("", description="What runs: a version or commit, shown by metrics, traces and error reports.")
    metrics_port: int = Field(
        0,
        ge=0,
        le=65532,
        description="Port of the web server's metrics for Prometheus; gRPC, worker and relay have the three after it."
        " 0 for none.",
    )
    otel_exporter_otlp_endpoint: str = Field(
        "", description="Where traces go by OTLP over HTTP: `http://collector:4318`. Empty: none are made."
    )
    otel_exporter_otlp_headers: SecretStr = Field(
        SecretStr(""), description="Headers for that place: `name=value`, comma-separated."
    )
    otel_traces_exporter: Literal["", "otlp", "console", "none"] = Field(
        "", description="`console` prints traces, `none` makes none whatever the endpoint is. Empty: as the endpoint."
    )
    otel_service_name: str = Field("", description="What traces call this process. Empty: PROJECT_NAME.")
    otel_traces_sampler: str = Field(
        "parentbased_always_on",
        description="Which requests are traced, read by OpenTelemetry: `traceidratio` lets no caller decide.",
    )
    otel_traces_sampler_arg: str = Field("", description="The share of them for `traceidratio`: `0.01`.")
    sentry_dsn: SecretStr = Field(SecretStr(""), description="Where errors are reported. Empty: only in the log.")
    sentry_environment: str = Field("production", description="What error reports call this installation.")
    alive_file: Path | None = Field(
        None,
        description="A file that a worker, beat or relay touches while its loop turns. The image's entry point sets it,"
        " for the health check.",
    )
    log_format: Literal["text", "json"] = Field("text", description="Log lines for people or for programs.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="Least level logged.")
    log_sql: bool = Field(False, description="Log each SQL statement with its values and seconds. Under DEBUG only.")

    @field_validator("secret_key")
    @classmethod
    def _secret_key_is_secure(cls, value: SecretStr, info: ValidationInfo) -> SecretStr:
        key = value.get_secret_value()
        if not info.data.get("debug") and (key == DEVELOPMENT_KEY or len(key) < 50 or len(set(key)) < 5):
            raise ValueError(
                "must be at least 50 random characters (python3 -c 'import secrets; print(secrets.token_urlsafe(50))'),"
                " or set DEBUG=1 for development"
            )
        return value

    @field_validator("log_sql")
    @classmethod
    def _statements_are_for_development(cls, value: bool, info: ValidationInfo) -> bool:
        if value and not info.data.get("debug"):
            raise ValueError("must be off unless DEBUG=1: statements hold personal data")
        return value

    @field_validator("https")
    @classmethod
    def _own_certificates_are_for_development(cls, value: bool, info: ValidationInfo) -> bool:
        if value and not info.data.get("debug"):
            raise ValueError("must be off unless DEBUG=1: in production a proxy ends TLS")
        return value

    @field_validator("allowed_hosts")
    @classmethod
    def _hosts_are_named(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if not value and not info.data.get("debug"):
            raise ValueError("must name at least one host when DEBUG is off")
        if "*" in value and not info.data.get("debug"):
            raise ValueError("must name each host: with *, anybody's Host header gets into links and redirects")
        return value

    @field_validator("cors_allowed_origins")
    @classmethod
    def _origins_are_as_browsers_send_them(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for origin in value:
            if origin == "*":
                raise ValueError("must name each origin: with cookies, * would let any page act for its visitors")
            if not _ORIGIN.fullmatch(origin):
                raise ValueError(
                    f"{origin!r} is no origin as browsers send it: https://app.example.com, in lower case, without a"
                    " path or slash at its end, with a port only if it is not the scheme's own"
                )
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _proxies_are_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for part in value:
            if ip_network(part).prefixlen == 0:
                raise ValueError(f"must not be everybody ({part}): any client could claim any address")
        return value

    @field_validator("database_url")
    @classmethod
    def _database_is_known(cls, value: SecretStr, info: ValidationInfo) -> SecretStr:
        url = value.get_secret_value()
        if not url and not (info.data.get("debug") or info.data.get("allow_sqlite")):
            raise ValueError("must be set when DEBUG is off (or set ALLOW_SQLITE=1: one machine, one writer at a time)")
        if url:
            check_postgres(url, otherwise="the embedded SQLite")
        return value

    @field_validator("database_replica_url")
    @classmethod
    def _replica_has_a_primary(cls, value: SecretStr, info: ValidationInfo) -> SecretStr:
        if url := value.get_secret_value():
            if not info.data.get("database_url", SecretStr("")).get_secret_value():
                raise ValueError("must be set together with DATABASE_URL, of which it is the replica")
            check_postgres(url, otherwise="no replica")
        return value

    @field_validator("redis_url")
    @classmethod
    def _redis_is_known(cls, value: SecretStr, info: ValidationInfo) -> SecretStr:
        if not value.get_secret_value() and not (info.data.get("debug") or info.data.get("allow_sqlite")):
            raise ValueError("must be set when DEBUG is off: cache, broker and replay protection are in it")
        if value.get_secret_value() and not value.get_secret_value().startswith(("redis://", "rediss://", "unix://")):
            raise ValueError("must begin with redis:// or rediss:// (leave it empty for the embedded Valkey)")
        return value

    @field_validator("broker_url")
    @classmethod
    def _broker_is_known(cls, value: SecretStr) -> SecretStr:
        known = ("amqp://", "amqps://", "redis://", "rediss://", "unix://")
        if value.get_secret_value() and not value.get_secret_value().startswith(known):
            raise ValueError("must begin with amqp:// for RabbitMQ, or redis:// (leave it empty for REDIS_URL)")
        return value

    @field_validator("email_url")
    @classmethod
    def _mail_server_is_known(cls, value: SecretStr) -> SecretStr:
        if value.get_secret_value():
            email_settings(value.get_secret_value())
        return value

    @field_validator("grpc_tokens")
    @classmethod
    def _tokens_are_readable(cls, value: SecretStr, info: ValidationInfo) -> SecretStr:
        text = value.get_secret_value()
        parse_tokens(text)
        for name, token in (entry.split(":")[:2] for entry in text.split(",") if entry.strip()):
            if not info.data.get("debug") and _is_guessable(token.strip()):
                raise ValueError(f"the token of {name.strip()} can be guessed: {_CURE}")
        return value

    @field_validator("grpc_call_token")
    @classmethod
    def _call_token_is_secure(cls, value: SecretStr, info: ValidationInfo) -> SecretStr:
        if value.get_secret_value() and not info.data.get("debug") and _is_guessable(value.get_secret_value()):
            raise ValueError(f"can be guessed: {_CURE}")
        return value

    @field_validator("grpc_tls_key", "grpc_call_key")
    @classmethod
    def _key_belongs_to_certificate(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        certificate = str(info.field_name).replace("key", "cert")
        if (value is None) != (info.data.get(certificate) is None):
            raise ValueError(f"must be set together with {certificate.upper()}")
        return value

    @field_validator("grpc_tls_client_ca")
    @classmethod
    def _client_authority_needs_tls(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        if value and not info.data.get("grpc_tls_cert"):
            raise ValueError("must be set together with GRPC_TLS_CERT")
        return value
