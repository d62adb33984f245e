"""The service's settings, without the service's own job types, on the benchmark's database."""

from devtools.benchmarks.competitors.site import django_database
from novitai.settings import *  # noqa: F403
from novitai.settings import DATABASES, INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "devtools.benchmarks.competitors.engine"]
DATABASES = {"default": {**DATABASES["default"], **django_database()}}
