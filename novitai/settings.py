"""Django settings: what the configuration (config.py) means to Django and its apps."""

from datetime import timedelta
from pathlib import Path
from typing import Any

from corsheaders.defaults import default_headers
from django.core.exceptions import ImproperlyConfigured

from core.database.address import parse_url
from core.database.sessions import django_entry, embedded_options
from novitai.env.config import ConfigError, load_config
from novitai.env.dev_secrets import kept_secret
from novitai.monitoring.logs import logging_config
from novitai.openapi.settings import SPECTACULAR_SETTINGS as SPECTACULAR_SETTINGS

BASE_DIR = Path(__file__).resolve().parent.parent

try:
    CONFIG = load_config()
except ConfigError as error:
    raise ImproperlyConfigured(str(error)) from None

DEBUG = False
DATA_DIR = (BASE_DIR / CONFIG.data_dir).resolve()
SECRET_KEY = (
    CONFIG.secret_key.get_secret_value()
    if CONFIG.secret_key
    else kept_secret(DATA_DIR / "secret_key")
)
SECRET_KEY_FALLBACKS = CONFIG.former_secret_keys
# Probes come from this machine and use its address as the host.
ALLOWED_HOSTS = [*CONFIG.allowed_hosts, "127.0.0.1", "localhost", "[::1]"]

INSTALLED_APPS = [
    "accounts.apps.ConsoleConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "django_prometheus",
    "corsheaders",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_q",
    "axes",
    "accounts",
    "jobs",
    "webhooks",
    "instances",
    "novitai",
]

MIDDLEWARE = [
    "novitai.middleware.hosts.HostMiddleware",
    # Outside of all middlewares that may refuse a request, so that refusals are counted too.
    "novitai.monitoring.request_metrics.RequestMetricsMiddleware",
    "novitai.middleware.requests.RequestIdMiddleware",
    "novitai.middleware.requests.RequestLogMiddleware",
    "novitai.middleware.requests.SecurityHeadersMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "novitai.middleware.admin_access.AdminDoorMiddleware",
    "novitai.middleware.pages.PageStaticFiles",
    "corsheaders.middleware.CorsMiddleware",
    "novitai.rest.deprecations.DeprecationMiddleware",
    "novitai.middleware.requests.SingleHeadersMiddleware",
    "novitai.middleware.requests.BodyLimitMiddleware",
    "novitai.middleware.pages.PageSession",
    "django.middleware.common.CommonMiddleware",
    "novitai.middleware.pages.PageCsrf",
    "novitai.middleware.pages.PageUser",
    "novitai.middleware.pages.PageMessages",
]

ROOT_URLCONF = "novitai.urls"
WSGI_APPLICATION = "novitai.server.wsgi.application"
APPEND_SLASH = False

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

# Database


def _database() -> dict[str, Any]:
    if CONFIG.database_url is None:
        return {
            "ENGINE": "devtools.embedded_postgres.backend",
            "NAME": "novitai",
            "DATA_DIR": DATA_DIR / "postgres",
            "OPTIONS": embedded_options(),
        }
    url = CONFIG.database_url.get_secret_value()
    return django_entry(parse_url(url), CONFIG.database_pooler)


DATABASES = {
    "default": {
        **_database(),
        # Persistent: a connection per request would cost more than the request's own queries.
        "CONN_MAX_AGE": None,
        "CONN_HEALTH_CHECKS": True,
        "ATOMIC_REQUESTS": False,
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# "default" is shared by all processes, in Postgres; "local" is a cache of one process.
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "novitai_cache",
        "TIMEOUT": 300,
    },
    "local": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
}

# Time and language

USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en-us"
USE_I18N = False
# Times in the admin have seconds, which are needed to compare incidents.
FORMAT_MODULE_PATH = ["novitai.formats"]

# Static files

STATIC_URL = "static/"
# Static files are served from the packages, so collectstatic is not needed.
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False

# API

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["accounts.rest.authentication.ApiKeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["accounts.rest.permissions.HasApiKey"],
    "DEFAULT_THROTTLE_CLASSES": ["accounts.rest.throttling.KeyRateThrottle"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "novitai.rest.negotiation.ByWeight",
    "DEFAULT_PARSER_CLASSES": ["novitai.rest.parsers.StrictJSONParser"],
    "DEFAULT_SCHEMA_CLASS": "novitai.openapi.scopes.ScopedSchema",
    "DEFAULT_PAGINATION_CLASS": "novitai.rest.pagination.KeysetPagination",
    # OPTIONS has no metadata (the schema has it). The CORS middleware answers preflights.
    "DEFAULT_METADATA_CLASS": None,
    "EXCEPTION_HANDLER": "novitai.errors.responses.exception_handler",
    # Disabled, since ?format=… would answer 404 for unknown formats.
    "URL_FORMAT_OVERRIDE": None,
    "UNAUTHENTICATED_USER": None,
    "UNAUTHENTICATED_TOKEN": None,
}

# The worker cluster (jobs/cluster/supervisor.py runs it; the queue is the job rows themselves)

Q_CLUSTER = {
    "name": "novitai",
    "broker_class": "jobs.cluster.broker.WakeBroker",
    "workers": CONFIG.job_workers,
    # A wake that waits is enough; all of them say the same.
    "queue_limit": 1,
    # Run limits are the heartbeat's (engine/heartbeat.py): q2's alarm interrupts at any bytecode.
    "timeout": 1_000_000_000,
    "retry": 2_000_000_000,
    # Workers are not recycled: that would abort the calls of their threads.
    "recycle": 1_000_000_000,
    "save_limit": -1,
    "ack_failures": True,
    "scheduler": False,
    "catch_up": False,
    # django-q2's sentinel writes statistics twice a second; they are kept in memory.
    "cache": "local",
    "guard_cycle": 0.5,
    "log_level": "WARNING",
}

# Browsers

CORS_ALLOWED_ORIGINS = list(CONFIG.cors_allowed_origins)
CORS_URLS_REGEX = r"^/(api/|health$)"
# What our documents tell clients to send and to read; tests/contract/test_cors.py compares.
CORS_ALLOW_HEADERS = [
    *default_headers,
    "cache-control",
    "idempotency-key",
    "if-match",
    "if-none-match",
    "last-event-id",
    "traceparent",
    "tracestate",
    "x-request-id",
]
CORS_EXPOSE_HEADERS = [
    "Accept-Encoding",
    "Allow",
    "Deprecation",
    "ETag",
    "Idempotent-Replayed",
    "Link",
    "Location",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "Sunset",
    "WWW-Authenticate",
    "X-Request-Id",
]
CSRF_FAILURE_VIEW = "novitai.errors.responses.csrf_failure"
CSRF_TRUSTED_ORIGINS = list(CONFIG.csrf_trusted_origins)
SESSION_COOKIE_HTTPONLY = True
SESSION_ENGINE = "accounts.console.sessions"
SESSION_COOKIE_AGE = int(timedelta(hours=CONFIG.admin_session_hours).total_seconds())
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = CONFIG.is_production
# The web server judges X-Forwarded-Proto, by FORWARDED_ALLOW_IPS: here anyone's would count.
SECURE_PROXY_SSL_HEADER = None
SECURE_HSTS_SECONDS = int(timedelta(days=365).total_seconds()) if CONFIG.is_production else 0
# TLS, its redirect and what holds for sibling domains belong to the proxy in front of the service;
# behind it, health probes come over plain HTTP. W002: SecurityHeadersMiddleware forbids frames.
# W003: PageCsrf protects the forms, and the check knows it by Django's own name only.
# axes.W002: the console answers for those whom axes holds back.
SILENCED_SYSTEM_CHECKS = [
    *(f"security.W{number}" for number in ("002", "003", "005", "008", "021")),
    "axes.W002",
]
DATA_UPLOAD_MAX_MEMORY_SIZE = CONFIG.max_body_bytes

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

# Log-ins (accounts/console/logins.py)

PASSWORD_HASHERS = ["accounts.console.hashers.LowPriorityHasher"]
AUTHENTICATION_BACKENDS = [
    # Refuse a locked user or address before a password is hashed.
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
AXES_FAILURE_LIMIT = CONFIG.admin_login_failures
AXES_COOLOFF_TIME = timedelta(seconds=CONFIG.admin_login_lock)
AXES_LOCKOUT_PARAMETERS = ["username", "ip_address"]
AXES_USERNAME_CALLABLE = "accounts.console.logins.user_name"
AXES_CLIENT_IP_CALLABLE = "accounts.console.logins.address"
# Attempts during a lock do not extend it, and write nothing.
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
# A successful log-in does not reset the count: an operator who guesses a colleague's password
# could reset it by signing in.
AXES_RESET_ON_SUCCESS = False
AXES_SENSITIVE_PARAMETERS = ["username", "csrfmiddlewaretoken", "next"]
AXES_DISABLE_ACCESS_LOG = True
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False

# Logs

LOGGING = logging_config(
    level=CONFIG.log_level,
    style=CONFIG.log_format or ("json" if CONFIG.is_production else "console"),
)
