"""Model of a message: what is told about one event, frozen when the event happened."""

from django.db import models
from django.db.models.functions import Now

from accounts.models import Project
from core.database.transaction_ids import CurrentTransaction, TransactionIdField
from core.ids import new_public_id


def new_message_id() -> str:
    return new_public_id("msg")


class Message(models.Model):
    """One message of a project, written in the transaction of its event.

    It exists even if no endpoint receives it: GET /api/events polls the same messages.
    """

    # Sent as webhook-id, the same in every attempt, so that receivers can drop duplicates.
    public_id = models.CharField(max_length=40, unique=True, default=new_message_id, editable=False)
    project = models.ForeignKey(Project, on_delete=models.PROTECT, db_index=False)
    type = models.CharField(max_length=60)
    subject = models.CharField(max_length=80, blank=True)
    # The exact JSON text that is signed and sent.
    body = models.TextField()
    request_id = models.CharField(max_length=80, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    xid = TransactionIdField(db_default=CurrentTransaction(), editable=False)

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["project", "xid", "id"], name="message_in_feed_order"),
            models.Index(fields=["project", "created_at"], name="message_by_time"),
            models.Index(fields=["created_at"], name="message_age"),
        ]

    def __str__(self) -> str:
        return f"{self.public_id} {self.type}"
