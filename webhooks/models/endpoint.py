"""Model of an endpoint: an address that receives a project's messages."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from accounts.models import Project
from core.ids import new_public_id
from core.sealed_fields import SealedJSONField, SealedTextField
from egress.webhooks.signing import public_key_of


def new_endpoint_id() -> str:
    return new_public_id("ep")


class EndpointKind(models.TextChoices):
    """project: made by POST /api/webhooks; instance: by the webhookUrl of an instance."""

    PROJECT = "project"
    INSTANCE = "instance"


class Signature(models.TextChoices):
    """Scheme of Standard Webhooks. v1: HMAC-SHA256, shared secret; v1a: ed25519, public key."""

    V1 = "v1"
    V1A = "v1a"


class BacklogPolicy(models.TextChoices):
    """What is sent of a lane that had to wait: all messages in order, or only the latest one."""

    ALL = "all"
    LATEST = "latest"


class EndpointQuerySet(models.QuerySet["Endpoint"]):
    """Queries on endpoints."""

    def existing(self) -> "EndpointQuerySet":
        return self.filter(deleted_at=None)

    def receiving(self, project_id: int, subject: str) -> "EndpointQuerySet":
        """Endpoints that get the project's messages about this subject."""
        rows = self.existing().filter(project_id=project_id, is_enabled=True)
        return rows.filter(subject__in={"", subject})


class Endpoint(models.Model):
    """A receiver. Endpoints of kind INSTANCE belong to one subject and sign with the project's
    secret; all others have a secret of their own.

    Deleted endpoints stay as rows, since deliveries refer to them.
    """

    public_id = models.CharField(
        max_length=40, unique=True, default=new_endpoint_id, editable=False
    )
    project = models.ForeignKey(Project, on_delete=models.PROTECT, db_index=False)
    kind = models.CharField(
        max_length=10, choices=EndpointKind.choices, default=EndpointKind.PROJECT
    )
    # Empty: messages about every subject of the project.
    subject = models.CharField(max_length=80, blank=True)
    url = SealedTextField()
    # Scheme and host of the URL: what is shown, filtered by and kept apart from other hosts.
    origin = models.CharField(max_length=300)
    description = models.CharField(max_length=300, blank=True)
    # Empty: all types but those that must be subscribed by name.
    event_types = ArrayField(models.CharField(max_length=60), default=list, blank=True)
    payload_version = models.PositiveSmallIntegerField(default=1, db_default=1)
    on_backlog = models.CharField(
        max_length=10, choices=BacklogPolicy.choices, default=BacklogPolicy.ALL
    )
    headers = SealedJSONField(default=dict, blank=True)
    basic_auth = SealedTextField(blank=True, help_text="user:password")
    signature = models.CharField(max_length=4, choices=Signature.choices, default=Signature.V1)
    secret = SealedTextField(blank=True)
    previous_secret = SealedTextField(blank=True)
    previous_secret_until = models.DateTimeField(null=True, blank=True)
    is_enabled = models.BooleanField(default=True, db_default=True)
    disabled_at = models.DateTimeField(null=True, blank=True)
    disabled_reason = models.CharField(max_length=300, blank=True)
    # Start of the present series of failures; null while deliveries succeed.
    failing_since = models.DateTimeField(null=True, blank=True)
    failing_told_at = models.DateTimeField(null=True, blank=True)
    last_success_at = models.DateTimeField(null=True, blank=True)
    last_failure_at = models.DateTimeField(null=True, blank=True)
    last_error = models.CharField(max_length=500, blank=True)
    made_by = models.CharField(max_length=80, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    deleted_at = models.DateTimeField(null=True, blank=True)

    objects = EndpointQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["project", "-id"], name="endpoint_of_project"),
            models.Index(
                fields=["project", "subject"],
                condition=Q(deleted_at=None, is_enabled=True),
                name="endpoint_receiving",
            ),
            models.Index(fields=["origin", "id"], name="endpoint_origin"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["subject"],
                condition=Q(kind="instance", deleted_at=None),
                name="endpoint_once_per_instance",
            ),
            models.CheckConstraint(
                condition=Q(kind__in=EndpointKind.values), name="endpoint_kind_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.public_id} {self.origin}"

    @property
    def public_key(self) -> str:
        """The key that verifies v1a signatures; empty for v1."""
        return public_key_of(str(self.secret)) if self.signature == Signature.V1A else ""
