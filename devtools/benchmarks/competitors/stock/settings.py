"""A Django project with django-q2 and nothing else."""

import os

from devtools.benchmarks.competitors.base import WORKERS
from devtools.benchmarks.competitors.site import django_database

SECRET_KEY = "only-signs-what-this-machine-sends-itself"  # noqa: S105
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django_q",
]
DATABASES = {"default": {**django_database(), "CONN_MAX_AGE": 600}}
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
USE_TZ = True
Q_CLUSTER = {
    "name": "stock",
    "orm": "default",
    "workers": WORKERS,
    "bulk": 50,
    "queue_limit": 100,
    "poll": 0.02,
    "save_limit": -1,
    "ack_failures": True,
    "scheduler": False,
    "catch_up": False,
    "log_level": "WARNING",
    # Seconds for which a claimed task is hidden; with less than timeout, tasks would run twice.
    "retry": int(os.environ.get("BENCH_RETRY", "60")),
    "timeout": int(os.environ.get("BENCH_RETRY", "60")) - 5,
}
