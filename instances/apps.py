"""App configuration; registers the job types of this app."""

from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured


class InstancesConfig(AppConfig):
    name = "instances"
    verbose_name = "Instances"

    def ready(self) -> None:
        # drf-spectacular knows its extensions by their import.
        from instances.api import strictness  # noqa: F401
        from instances.handlers import register_job_types
        from instances.lifecycle.message_types import EVENT_TYPES
        from instances.lifecycle.webhook_owner import InstancesOwner
        from jobs.signals import cluster_starting
        from webhooks import event_types, owner

        register_job_types()
        event_types.register(EVENT_TYPES)
        owner.register(InstancesOwner())
        cluster_starting.connect(_refuse_without_key, dispatch_uid="instances.refuse_without_key")


def _refuse_without_key(**_: Any) -> None:
    if not settings.CONFIG.novita_api_key:
        raise ImproperlyConfigured(
            "NOVITA_API_KEY is not set: this worker could not call Novita. Give it the same"
            " NOVITA_API_KEY and NOVITA_API_BASE_URL as the other workers of this database."
        )
