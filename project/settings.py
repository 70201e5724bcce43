"""Django's settings. Whatever differs from one installation to another comes from project/env.py."""

import os
from importlib.util import find_spec

import dotenv
from django.utils.text import slugify

from framework import discovery, env
from framework.observe import logs
from framework.settings import *  # noqa: F403 - the same in every product
from framework.settings import MIDDLEWARE, REDIS_TIMEOUT
from project.env import BASE_DIR, Env

dotenv.load_dotenv(BASE_DIR / ".env")
ENV = env.load(Env)

PROJECT_NAME = ENV.project_name
PROJECT_SLUG = slugify(PROJECT_NAME)
CLIENT_VERSION = ENV.client_version
DATA_DIR = ENV.data_dir
DEBUG = ENV.debug
SECRET_KEY = ENV.secret_key.get_secret_value()
SHARD_ID = ENV.shard_id
HOST, PORT, GRPC_PORT = ENV.host, ENV.port, ENV.grpc_port

# Domains

DOMAINS = discovery.packages(ENV.domains)
REMOTE_DOMAINS = env.domain_urls(os.environ, BASE_DIR / "apps", tuple(DOMAINS))
discovery.check_calls(DOMAINS, REMOTE_DOMAINS)

TOOLS = ["tools"] if DEBUG and find_spec("tools") else []  # commands for development; the image has none
INSTALLED_APPS = [
    *TOOLS,
    "framework",  # before django_grpc_framework, whose grpcrunserver it replaces
    "framework.queue",
    *DOMAINS.values(),
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "allauth.headless",
    "allauth.mfa",
    "allauth.usersessions",
    "corsheaders",
    "django_celery_beat",
    "django_grpc_framework",
    "graphene_django",
]

# Web

ROOT_URLCONF = "project.urls"
WSGI_APPLICATION = "project.wsgi.application"
ALLOWED_HOSTS = list(ENV.allowed_hosts) or ["127.0.0.1", "localhost", "[::1]"]
CSRF_TRUSTED_ORIGINS = list(ENV.csrf_trusted_origins)
TRUSTED_PROXIES = ENV.trusted_proxies
CORS_ALLOWED_ORIGINS = list(ENV.cors_allowed_origins)
CORS_URLS_REGEX = "^/(graphql/?$|accounts/)"
MIDDLEWARE = [*MIDDLEWARE, "allauth.account.middleware.AccountMiddleware"]
STATIC_ROOT = BASE_DIR / "static"
WHITENOISE_USE_FINDERS = DEBUG
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}

SECURE = ENV.secure_cookies and not DEBUG
SECURE_SSL_REDIRECT = SECURE
SECURE_HSTS_SECONDS = int(ENV.hsts.partition(";")[0] or 0) if SECURE else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = "includeSubDomains" in ENV.hsts
SECURE_HSTS_PRELOAD = "preload" in ENV.hsts
SILENCED_SYSTEM_CHECKS = [
    "security.W003",  # framework.web.csrf is Django's middleware under another name
    *("security.W004", "security.W005", "security.W021"),  # HSTS is the operator's choice
]
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE
SESSION_ENGINE = "django.contrib.sessions.backends.cached_db"  # read from Redis; the table is the truth
SESSION_COOKIE_AGE = ENV.session_days * 86_400  # seconds
SESSION_COOKIE_NAME = f"{PROJECT_SLUG}-session"
CSRF_COOKIE_NAME = f"{PROJECT_SLUG}-csrftoken"

# Stores

DATABASE_URL = ENV.database_url.get_secret_value()
DATABASE_REPLICA_URL = ENV.database_replica_url.get_secret_value()
env.make_data_dir(DATA_DIR)
if DATABASE_URL:
    DATABASES = {"default": env.postgres(DATABASE_URL)}
    if DATABASE_REPLICA_URL:
        DATABASES["replica"] = env.postgres(DATABASE_REPLICA_URL)
        DATABASES["replica"]["OPTIONS"].setdefault("connect_timeout", 2)  # it is not waited for: the primary answers
        DATABASES["replica"]["TEST"] = {"MIRROR": "default"}
        DATABASE_ROUTERS = ["framework.data.replica.Router"]
else:
    DATABASES = {"default": env.sqlite(DATA_DIR / "db.sqlite3", DATA_DIR / "test.sqlite3")}

EMBEDDED_VALKEY = not ENV.redis_url.get_secret_value()
VALKEY_PORT = ENV.valkey_port
REDIS_URL = ENV.redis_url.get_secret_value() or f"redis://127.0.0.1:{VALKEY_PORT}/0"
CACHES = {"default": env.redis_cache(REDIS_URL, PROJECT_SLUG, REDIS_TIMEOUT)}

# Users

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
PASSWORD_HASHERS = [
    "framework.web.passwords.BoundedArgon2",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
# The account engine is django-allauth: docs/accounts.md.
ACCOUNT_ADAPTER = "apps.accounts.adapter.Adapter"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_EMAIL_VERIFICATION_BY_CODE_ENABLED = True
ACCOUNT_EMAIL_VERIFICATION_SUPPORTS_RESEND = True
ACCOUNT_PASSWORD_RESET_BY_CODE_ENABLED = True
ACCOUNT_PREVENT_ENUMERATION = True  # no answer tells who has an account; the owner of a taken address gets a mail
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False  # a stranger's address gets no mail from here
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_CHANGE_EMAIL = True
ACCOUNT_REAUTHENTICATION_REQUIRED = True
ACCOUNT_LOGOUT_ON_PASSWORD_CHANGE = False
ACCOUNT_EMAIL_SUBJECT_PREFIX = f"[{PROJECT_NAME}] "
ACCOUNT_RATE_LIMITS = {
    "login": "30/m/ip",
    "login_failed": "10/m/ip,5/5m/key",
    "signup": "10/m/ip",
    "reset_password": "10/m/ip,3/m/key",
}
HEADLESS_ADAPTER = "apps.accounts.adapter.HeadlessAdapter"
HEADLESS_CLIENTS = ("browser",)
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_TOTP_ISSUER = PROJECT_NAME
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = DEBUG
LOGIN_URL, LOGIN_REDIRECT_URL = "account_login", "admin:index"
STAFF_SECOND_FACTOR = not DEBUG if ENV.staff_second_factor is None else ENV.staff_second_factor
STAFF_SESSION_AGE = ENV.staff_session_hours * 3600  # seconds

# Mail

EMAIL_URL = ENV.email_url.get_secret_value()
DEFAULT_FROM_EMAIL = SERVER_EMAIL = ENV.default_from_email
EMAIL_SUBJECT_PREFIX = f"[{PROJECT_NAME}] "
if EMAIL_URL:
    globals().update(env.email_settings(EMAIL_URL))
else:
    EMAIL_BACKEND = "framework.mail.ConsoleBackend" if DEBUG else "framework.mail.NoBackend"

# Background work: see framework/queue/celery_settings.py for what Celery itself is told

CELERY_BROKER_URL = ENV.broker_url.get_secret_value() or REDIS_URL
WORKER_PROCESSES = ENV.worker_processes

# gRPC

GRPC_TOKENS = ENV.grpc_tokens.get_secret_value()
GRPC_THREADS = ENV.grpc_threads
GRPC_STREAMS = ENV.grpc_streams
GRPC_MAX_CALLS = ENV.grpc_max_calls
GRPC_MAX_MESSAGE = ENV.grpc_max_message * 1024 * 1024
GRPC_DEFAULT_DEADLINE = ENV.grpc_default_deadline
GRPC_GRACE = ENV.grpc_grace
GRPC_REFLECTION = DEBUG if ENV.grpc_reflection is None else ENV.grpc_reflection
GRPC_TLS_CERT, GRPC_TLS_KEY = ENV.grpc_tls_cert, ENV.grpc_tls_key
GRPC_TLS_CLIENT_CA = ENV.grpc_tls_client_ca
GRPC_CALL_TOKEN = ENV.grpc_call_token.get_secret_value()
GRPC_CALL_CA = ENV.grpc_call_ca
GRPC_CALL_CERT, GRPC_CALL_KEY = ENV.grpc_call_cert, ENV.grpc_call_key

# GraphQL

GRAPHQL_LIMITS = ENV.graphql_limits
GRAPHQL_INTROSPECTION = DEBUG if ENV.graphql_introspection is None else ENV.graphql_introspection
GRAPHQL_EXECUTOR = ENV.graphql_executor
GRAPHQL_ALLOWED_DOCUMENTS = ENV.graphql_allowed_documents
GRAPHQL_RATE = ENV.graphql_rate
GRAPHQL_TIMEOUT = ENV.graphql_timeout
GRAPHIQL = DEBUG if ENV.graphiql is None else ENV.graphiql

# Logs, metrics, traces, error reports

RELEASE = ENV.release
ALIVE_FILE = ENV.alive_file
METRICS_PORT = ENV.metrics_port
TRACES = env.traces_exporter(ENV)
OTEL_HEADERS = ENV.otel_exporter_otlp_headers.get_secret_value()
OTEL_SERVICE_NAME = ENV.otel_service_name or PROJECT_NAME
SENTRY_DSN = ENV.sentry_dsn.get_secret_value()
SENTRY_ENVIRONMENT = ENV.sentry_environment
logs.configure(ENV.log_format, ENV.log_level, sql=ENV.log_sql)
env.warn_of_misspelled(Env, os.environ, BASE_DIR / "apps")
