import os
from datetime import timedelta

from django.apps import AppConfig


class SampleConfig(AppConfig):
    """Only what the cluster's tests need; times are shortened by TEST_… variables (seconds)."""

    name = "tests.jobs.sampleapp"

    def ready(self) -> None:
        from jobs import registry
        from jobs.cluster import supervisor
        from jobs.engine import leasing
        from tests.jobs.sampleapp import handlers

        leasing.LEASE = _seconds("TEST_LEASE", leasing.LEASE)
        supervisor.STALL_SECONDS = _seconds("TEST_STALL", supervisor.STALL_SECONDS).total_seconds()
        supervisor.PUSHER_SECONDS = _seconds(
            "TEST_PUSHER", supervisor.PUSHER_SECONDS
        ).total_seconds()
        registry._types.clear()
        retry = registry.RetryPolicy(max_attempts=3, first=timedelta(seconds=0.1))
        limit = _seconds("TEST_RUN_LIMIT", timedelta(minutes=2))
        for name, handler in handlers.BY_NAME.items():
            registry.register(registry.JobType(name, handler, run_limit=limit, retry=retry))


def _seconds(name: str, default: timedelta | float) -> timedelta:
    value = os.environ.get(name)
    if value is not None:
        return timedelta(seconds=float(value))
    return default if isinstance(default, timedelta) else timedelta(seconds=default)
