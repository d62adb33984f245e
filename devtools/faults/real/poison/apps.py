"""Registers the poison with the queue."""

from datetime import timedelta

from django.apps import AppConfig


class PoisonConfig(AppConfig):
    """Job type ``poison``; the payload says how it kills."""

    name = "devtools.faults.real.poison"
    label = "poison"

    def ready(self) -> None:
        from devtools.faults.real.poison.handler import Poison
        from jobs import registry

        retry = registry.RetryPolicy(max_attempts=3, first=timedelta(seconds=0.1))
        registry.register(registry.JobType("poison", Poison(), retry=retry))
