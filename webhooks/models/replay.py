"""Model of a replay: messages of a time range that one endpoint gets again."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from accounts.models import Project
from core.ids import new_public_id
from webhooks.models.endpoint import Endpoint


def new_replay_id() -> str:
    return new_public_id("rpl")


class ReplayStatus(models.TextChoices):
    """running -> completed or cancelled."""

    RUNNING = "running"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


class Replay(models.Model):
    """Sends messages again, oldest first, a few at a time."""

    public_id = models.CharField(max_length=40, unique=True, default=new_replay_id, editable=False)
    project = models.ForeignKey(Project, on_delete=models.PROTECT, db_index=False)
    endpoint = models.ForeignKey(Endpoint, on_delete=models.PROTECT)
    since = models.DateTimeField()
    until = models.DateTimeField()
    types = ArrayField(models.CharField(max_length=60), default=list, blank=True)
    subject = models.CharField(max_length=80, blank=True)
    only_failed = models.BooleanField(default=False)
    status = models.CharField(
        max_length=10, choices=ReplayStatus.choices, default=ReplayStatus.RUNNING
    )
    # Message ids up to this one are queued.
    position = models.BigIntegerField(default=0, db_default=0)
    queued = models.PositiveIntegerField(default=0, db_default=0)
    is_all_queued = models.BooleanField(default=False, db_default=False)
    made_by = models.CharField(max_length=80, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["project", "-id"], name="replay_of_project"),
            models.Index(fields=["endpoint"], condition=Q(status="running"), name="replay_running"),
        ]

    def __str__(self) -> str:
        return f"{self.public_id} {self.status}"
