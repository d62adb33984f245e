"""The addresses of a competitor's database and Redis, from the environment of its processes."""

import os
from typing import Any

from psycopg.conninfo import conninfo_to_dict

DATABASE = "BENCH_DATABASE"
REDIS = "BENCH_REDIS"


def database() -> str:
    """A libpq connection string."""
    return os.environ[DATABASE]


def redis_socket() -> str:
    return os.environ[REDIS]


def django_database() -> dict[str, Any]:
    """The same for Django's DATABASES."""
    parts = conninfo_to_dict(database())
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts["dbname"],
        "HOST": parts["host"],
        "PORT": parts["port"],
        "USER": parts["user"],
        "PASSWORD": parts.get("password", ""),
    }
