"""What opens the door of an instance, sealed."""

from django.db import models

from instances.models.instance import Instance


class InstanceCredentials(models.Model):
    """Sealed with CREDENTIALS_KEYS: a copy of the database opens no machine.

    A table of its own, so that no list, no admin page and no webhook reads it by the way.
    """

    instance = models.OneToOneField(
        Instance, on_delete=models.CASCADE, primary_key=True, related_name="+"
    )
    sealed = models.TextField(editable=False)
    updated_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"credentials of instance {self.instance_id}"
