import os
from datetime import timedelta

from django.apps import AppConfig


class SampleConfig(AppConfig):
    """Only what the cluster's tests need; times are shortened by TEST_… variables (seconds)."""

    name = "tests.jobs.sampleapp"

    def ready(self) -> None:
        from jobs import handler as job_handler
        from jobs.cluster import supervisor
        from jobs.engine import leasing
        from tests.jobs.sampleapp import handlers

        leasing.LEASE = _seconds("TEST_LEASE", leasing.LEASE)
        supervisor.STALL_SECONDS = _seconds("TEST_STALL", supervisor.STALL_SECONDS).total_seconds()
        supervisor.PUSHER_SECONDS = _seconds(
            "TEST_PUSHER", supervisor.PUSHER_SECONDS
        ).total_seconds()
        job_handler._types.clear()
        retry = job_handler.RetryPolicy(max_attempts=3, first=timedelta(seconds=0.1))
        limit = _seconds("TEST_RUN_LIMIT", timedelta(minutes=2))
        for name, handler in handlers.BY_NAME.items():
            job_type = job_handler.JobType(name, handler, run_limit=limit, retry=retry)
            job_handler.register_type(job_type)


def _seconds(name: str, default: timedelta | float) -> timedelta:
    value = os.environ.get(name)
    if value is not None:
        return timedelta(seconds=float(value))
    return default if isinstance(default, timedelta) else timedelta(seconds=default)
