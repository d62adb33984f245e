"""Registers the poison job type."""

from datetime import timedelta

from django.apps import AppConfig


class PoisonConfig(AppConfig):
    """Job type ``poison``; the payload says how it kills."""

    name = "devtools.faults.real.poison"
    label = "poison"

    def ready(self) -> None:
        from devtools.faults.real.poison.handler import Poison
        from jobs.handler import JobType, RetryPolicy, register_type

        retry = RetryPolicy(max_attempts=3, first=timedelta(seconds=0.1))
        register_type(JobType("poison", Poison(), retry=retry))
