"""Django's settings that the framework relies on, the same in every product, whose own settings begin with them."""

DEFAULT_AUTO_FIELD = "framework.ids.IdField"
DEBUG_PROPAGATE_EXCEPTIONS = True  # to framework.web.middleware.failures, also without DEBUG
LOGGING_CONFIG = None  # framework.observe.logs configures it
USE_TZ, TIME_ZONE, LANGUAGE_CODE = True, "UTC", "en-us"
STATIC_URL = "/static/"
MIDDLEWARE = [
    "framework.web.middleware.unit_of_work",
    "corsheaders.middleware.CorsMiddleware",  # answers a preflight before HTTPS and sessions are looked at
    "framework.web.middleware.failures",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "framework.web.csrf.CsrfMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
CORS_ALLOW_CREDENTIALS = True
CORS_ALLOW_METHODS = ["DELETE", "GET", "PATCH", "POST", "PUT"]
CORS_ALLOW_HEADERS = ["accept", "content-type", "traceparent", "tracestate", "x-csrftoken", "x-request-id"]
CORS_EXPOSE_HEADERS = ["Retry-After", "X-Request-ID"]
REDIS_TIMEOUT = 2  # seconds: a dead server must not hold a request
CELERY_TIMEZONE = TIME_ZONE
GRPC_FRAMEWORK = {"ROOT_HANDLERS_HOOK": "framework.grpc.service.register"}
