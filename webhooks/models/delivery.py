"""Models of deliveries (a message for one endpoint) and of their attempts."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from accounts.models import Project
from core.ids import new_public_id
from core.sealed_fields import SealedTextField
from webhooks.models.endpoint import Endpoint
from webhooks.models.message import Message
from webhooks.models.replay import Replay


def new_delivery_id() -> str:
    return new_public_id("dlv")


class DeliveryStatus(models.TextChoices):
    """pending -> delivered, failed, skipped or cancelled; any of these -> pending when it is sent
    again.
    """

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


class Delivery(models.Model):
    """A message for one endpoint.

    Deliveries with the same endpoint, subject and is_replay form a lane, which sends in the order
    of the messages. While a lane has pending deliveries, it has exactly one live job.
    """

    public_id = models.CharField(
        max_length=40, unique=True, default=new_delivery_id, editable=False
    )
    project = models.ForeignKey(Project, on_delete=models.PROTECT, db_index=False)
    message = models.ForeignKey(
        Message, on_delete=models.CASCADE, related_name="deliveries", db_index=False
    )
    endpoint = models.ForeignKey(
        Endpoint, on_delete=models.PROTECT, related_name="deliveries", db_index=False
    )
    # Of the message; the message's own id if its order matters to no other.
    subject = models.CharField(max_length=80)
    type = models.CharField(max_length=60)
    status = models.CharField(
        max_length=10, choices=DeliveryStatus.choices, default=DeliveryStatus.PENDING
    )
    # Sent again by a person or a replay, beside the lane of new messages.
    is_replay = models.BooleanField(default=False, db_default=False)
    replay = models.ForeignKey(
        Replay, null=True, blank=True, on_delete=models.SET_NULL, db_index=False
    )
    # Of all times; ``tries``: since it became pending last.
    attempts = models.PositiveIntegerField(default=0, db_default=0)
    tries = models.PositiveIntegerField(default=0, db_default=0)
    next_attempt_at = models.DateTimeField(null=True, blank=True)
    last_status_code = models.PositiveSmallIntegerField(null=True, blank=True)
    last_error = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "deliveries"
        indexes = [
            models.Index(
                fields=["endpoint", "subject", "is_replay", "message"],
                condition=Q(status="pending"),
                name="delivery_lane",
            ),
            models.Index(fields=["endpoint", "-id"], name="delivery_of_endpoint"),
            models.Index(fields=["endpoint", "type", "-id"], name="delivery_of_type"),
            models.Index(
                fields=["endpoint", "status", "-id"],
                condition=~Q(status="delivered"),
                name="delivery_undelivered",
            ),
            models.Index(fields=["subject", "-id"], name="delivery_of_subject"),
            models.Index(
                fields=["replay", "status"],
                condition=Q(replay__isnull=False),
                name="delivery_of_replay",
            ),
        ]
        constraints = [
            models.UniqueConstraint(fields=["message", "endpoint"], name="delivery_once"),
            models.CheckConstraint(
                condition=Q(status__in=DeliveryStatus.values), name="webhook_delivery_status_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.public_id} {self.status}"


class Attempt(models.Model):
    """One request to a receiver, and its answer."""

    delivery = models.ForeignKey(Delivery, on_delete=models.CASCADE, related_name="history")
    endpoint = models.ForeignKey(Endpoint, on_delete=models.PROTECT, db_index=False)
    number = models.PositiveIntegerField()
    started_at = models.DateTimeField()
    duration_ms = models.PositiveIntegerField()
    is_delivered = models.BooleanField()
    status_code = models.PositiveSmallIntegerField(null=True, blank=True)
    error = models.CharField(max_length=500, blank=True)
    # The start of the answer's body.
    answer = SealedTextField(blank=True)
    address = models.CharField(max_length=80, blank=True, help_text="IP address and port")

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["endpoint", "started_at"], name="attempt_of_endpoint")]

    def __str__(self) -> str:
        return f"{self.delivery_id} #{self.number}"
