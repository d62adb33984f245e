"""App configuration: the project's own commands and the cache table's migration."""

from django.apps import AppConfig


class NovitaiConfig(AppConfig):
    name = "novitai"
