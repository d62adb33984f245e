"""Model of the webhook outbox: one row for each event, written in the event's transaction."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from accounts.models import Project
from core.ids import new_public_id
from instances.domain.enums import DeliveryStatus
from instances.models.event import InstanceEvent
from instances.models.instance import Instance


def new_message_id() -> str:
    return new_public_id("msg")


class WebhookDelivery(models.Model):
    """A webhook message: pending -> delivered, or failed after the last attempt.

    Messages of an instance are sent in the order of its events: only the first pending one has a
    live job, and the end of that job enqueues the next.
    """

    # Sent as webhook-id, the same in every retry, so that receivers can drop duplicates.
    public_id = models.CharField(max_length=40, unique=True, default=new_message_id, editable=False)
    project = models.ForeignKey(Project, on_delete=models.PROTECT)
    instance = models.ForeignKey(Instance, on_delete=models.PROTECT, related_name="deliveries")
    event = models.ForeignKey(InstanceEvent, on_delete=models.PROTECT, related_name="deliveries")
    payload = models.JSONField()
    status = models.CharField(
        max_length=10, choices=DeliveryStatus.choices, default=DeliveryStatus.PENDING
    )
    attempts = models.PositiveIntegerField(default=0, db_default=0)
    last_status_code = models.PositiveSmallIntegerField(null=True, blank=True)
    last_error = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "webhook deliveries"
        indexes = [
            models.Index(
                fields=["instance", "id"], condition=Q(status="pending"), name="delivery_pending"
            )
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=DeliveryStatus.values), name="delivery_status_known"
            ),
            models.UniqueConstraint(fields=["event"], name="delivery_once_per_event"),
        ]

    def __str__(self) -> str:
        return f"{self.public_id} {self.status}"
