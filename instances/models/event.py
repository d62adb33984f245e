"""Model of an instance's append-only event log."""

from django.db import models
from django.db.models.functions import Now

from accounts.models import Project
from core.database.transaction_ids import CurrentTransaction, TransactionIdField
from core.ids import new_public_id
from instances.models.instance import Instance


def new_event_id() -> str:
    return new_public_id("evt")


class InstanceEvent(models.Model):
    """One change of an instance, numbered without gaps, written in the transaction of the change.

    Append-only: a trigger refuses updates and deletes (migration 0002). Another trigger notifies
    the listeners of the project's events (migration 0008).
    """

    public_id = models.CharField(max_length=40, unique=True, default=new_event_id, editable=False)
    project = models.ForeignKey(Project, on_delete=models.PROTECT)
    instance = models.ForeignKey(Instance, on_delete=models.PROTECT, related_name="events")
    sequence = models.PositiveIntegerField()
    type = models.CharField(max_length=60)
    from_status = models.CharField(max_length=12, blank=True)
    to_status = models.CharField(max_length=12, blank=True)
    occurred_at = models.DateTimeField(db_default=Now())
    actor = models.CharField(max_length=80, help_text="who: key:…, operator:…, worker")
    cause = models.CharField(max_length=300, blank=True, help_text="why, in words")
    request_id = models.CharField(max_length=80, blank=True)
    job_id = models.CharField(max_length=40, blank=True)
    data = models.JSONField(default=dict, blank=True)
    # Ids are assigned before the commit: a reader that pages by id alone would miss late commits.
    xid = TransactionIdField(db_default=CurrentTransaction(), editable=False)

    class Meta:
        ordering = ["instance", "sequence"]
        indexes = [models.Index(fields=["project", "xid", "id"], name="event_in_stream_order")]
        constraints = [
            models.UniqueConstraint(fields=["instance", "sequence"], name="event_numbered_once")
        ]

    def __str__(self) -> str:
        return f"{self.instance_id} #{self.sequence} {self.type}"
