"""The service's settings, without the service's own job types, on the benchmark's database."""

from devtools.benchmarks.contenders.site import django_database
from novitai.settings import *  # noqa: F403
from novitai.settings import DATABASES, INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "devtools.benchmarks.contenders.engine"]
DATABASES = {"default": {**DATABASES["default"], **django_database()}}
