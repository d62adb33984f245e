"""Model of the sealed access data of instances."""

from django.db import models

from instances.models.instance import Instance


class InstanceCredentials(models.Model):
    """SSH, Jupyter and web terminal access, sealed with CREDENTIALS_KEYS.

    In its own table, so that lists, admin pages and webhooks never load it.
    """

    instance = models.OneToOneField(
        Instance, on_delete=models.CASCADE, primary_key=True, related_name="+"
    )
    sealed = models.TextField(editable=False)
    updated_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"credentials of instance {self.instance_id}"
