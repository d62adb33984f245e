"""App configuration; registers the job types of this app."""

from django.apps import AppConfig


class InstancesConfig(AppConfig):
    name = "instances"
    verbose_name = "Instances"

    def ready(self) -> None:
        from instances.handlers import register_job_types

        register_job_types()
