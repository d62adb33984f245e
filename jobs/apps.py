"""App configuration; registers the queue's own job type."""

from django.apps import AppConfig


class JobsConfig(AppConfig):
    name = "jobs"
    verbose_name = "Jobs"

    def ready(self) -> None:
        # The import registers an extension of drf-spectacular.
        from core import query_schema  # noqa: F401
        from jobs.retention import register_job_type

        register_job_type()
