"""Settings of the framework's own tests: no product, no domain of apps/.

They stand in for `project.settings`, so they take the same variables from the environment where a test starts
processes with them.
"""

import os
from pathlib import Path
from types import SimpleNamespace

from framework import env
from framework.graphql.limits import Limits
from framework.observe import logs
from framework.settings import *  # noqa: F403 - as a product's settings begin
from framework.settings import REDIS_TIMEOUT

BASE_DIR = Path(__file__).resolve().parents[2]
DATA_DIR = Path(os.environ["DATA_DIR"])
PROJECT_NAME = PROJECT_SLUG = "framework-tests"
SECRET_KEY = "of-tests-only-0123456789-0123456789-0123456789-0123456789"
DEBUG = os.environ.get("DEBUG", "1") == "1"
SHARD_ID = 0
HOST = os.environ.get("HOST", "127.0.0.1")
PORT = int(os.environ.get("PORT", "8000"))
GRPC_PORT = int(os.environ.get("GRPC_PORT", "50051"))
ENV = SimpleNamespace(
    web_workers=int(os.environ.get("WEB_WORKERS", "2")),
    web_threads=int(os.environ.get("WEB_THREADS", "4")),
    web_grace=int(os.environ.get("WEB_GRACE", "20")),
    web_max_requests=int(os.environ.get("WEB_MAX_REQUESTS", "0")),
    grpc_threads=4,
    grpc_streams=4,
    database_pool=None,
)

DOMAINS = {"library": "framework.tests.library"}
REMOTE_DOMAINS: dict[str, str] = {}
INSTALLED_APPS = [
    "framework",
    "framework.queue",
    *DOMAINS.values(),
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "corsheaders",
    "django_celery_beat",
    "django_grpc_framework",
    "graphene_django",
]

ROOT_URLCONF = "framework.tests.urls"
ALLOWED_HOSTS = ["127.0.0.1", "localhost", "[::1]"]
TRUSTED_PROXIES: tuple[str, ...] = ()
CORS_ALLOWED_ORIGINS: list[str] = []
CORS_URLS_REGEX = "^/graphql/?$"
SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = "session", "csrftoken"
AUTH_USER_MODEL = "library.User"

if os.environ.get("DATABASE_URL"):
    DATABASES = {"default": env.postgres(os.environ["DATABASE_URL"])}
else:
    DATABASES = {"default": env.sqlite(DATA_DIR / "framework.sqlite3", DATA_DIR / "framework-test.sqlite3")}
EMBEDDED_VALKEY, VALKEY_PORT = False, 6399
REDIS_URL = os.environ["REDIS_URL"]
CACHES = {"default": env.redis_cache(REDIS_URL, PROJECT_SLUG, REDIS_TIMEOUT)}
EMAIL_URL = ""
EMAIL_BACKEND = "framework.mail.NoBackend"
CELERY_BROKER_URL = os.environ.get("BROKER_URL") or REDIS_URL
WORKER_PROCESSES = 2

GRPC_TOKENS = os.environ.get("GRPC_TOKENS", "")
GRPC_THREADS = GRPC_STREAMS = 4
GRPC_MAX_CALLS = 100
GRPC_MAX_MESSAGE = 4 * 1024 * 1024
GRPC_DEFAULT_DEADLINE = 30.0
GRPC_GRACE = 30.0
GRPC_REFLECTION = True
GRPC_TLS_CERT = GRPC_TLS_KEY = GRPC_TLS_CLIENT_CA = None
GRPC_CALL_TOKEN = ""
GRPC_CALL_CA = GRPC_CALL_CERT = GRPC_CALL_KEY = None

GRAPHQL_LIMITS = Limits()
GRAPHQL_INTROSPECTION = GRAPHIQL = True
GRAPHQL_EXECUTOR = os.environ.get("GRAPHQL_EXECUTOR", "compiled")
GRAPHQL_ALLOWED_DOCUMENTS = None
GRAPHQL_RATE = 6000
GRAPHQL_TIMEOUT = 10.0

RELEASE = os.environ.get("RELEASE", "")
ALIVE_FILE = None
METRICS_PORT = int(os.environ.get("METRICS_PORT", "0"))
TRACES = OTEL_HEADERS = SENTRY_DSN = SENTRY_ENVIRONMENT = ""
OTEL_SERVICE_NAME = PROJECT_NAME
logs.configure(os.environ.get("LOG_FORMAT", "text"), os.environ.get("LOG_LEVEL", "INFO"))
