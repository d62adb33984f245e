"""An instance: what was wished for, where its creation stands, what Novita says of it."""

import secrets

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from accounts.ids import new_public_id
from accounts.models import Project
from instances.choices import (
    ENDED_STATUSES,
    PENDING_STATUSES,
    BillingMode,
    CreateStep,
    InstanceStatus,
)


def new_instance_id() -> str:
    return new_public_id("inst")


def new_reference() -> str:
    """The unique word of an instance's upstream name: 80 random bits in [0-9a-f]."""
    return secrets.token_hex(10)


class InstanceQuerySet(models.QuerySet["Instance"]):
    """Instances by what can be said of them."""

    def of(self, project: Project) -> "InstanceQuerySet":
        return self.filter(project=project)

    def pending(self) -> "InstanceQuerySet":
        return self.filter(status__in=PENDING_STATUSES)

    def not_ended(self) -> "InstanceQuerySet":
        return self.exclude(status__in=ENDED_STATUSES)


class Instance(models.Model):
    """A GPU instance from its request to its end.

    creating -> starting -> running; running -> stopping -> stopped -> starting; running or
    stopped -> migrating -> running; running -> starting (restart); starting -> stopped (no GPU
    for a restart); running -> stopped, terminated or failed when Novita reclaims or loses it;
    anything -> terminating -> terminated; creating, starting or migrating -> failed.
    """

    public_id = models.CharField(
        max_length=40, unique=True, default=new_instance_id, editable=False
    )
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="instances")

    # The wish
    name = models.CharField(max_length=100)
    product_name = models.CharField(max_length=200)
    template_id = models.CharField(max_length=255)
    gpu_num = models.PositiveSmallIntegerField()
    rootfs_size_gb = models.PositiveIntegerField()
    region = models.CharField(max_length=60)
    billing_mode = models.CharField(
        max_length=10, choices=BillingMode.choices, default=BillingMode.SPOT
    )
    webhook_url = models.CharField(max_length=2048, blank=True)

    # The state
    status = models.CharField(
        max_length=12, choices=InstanceStatus.choices, default=InstanceStatus.CREATING
    )
    status_changed_at = models.DateTimeField(db_default=Now())
    # Number of the last event; the next one is this plus one, under the row's lock.
    sequence = models.PositiveIntegerField(default=0, db_default=0)
    error_code = models.CharField(max_length=40, blank=True)
    error_message = models.TextField(blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    start_deadline_at = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True, help_text="Novita's clock began")
    ready_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    # Creation, exactly once: written and committed before the call that it speaks of.
    create_step = models.CharField(
        max_length=10, choices=CreateStep.choices, default=CreateStep.CHOOSE
    )
    reference = models.CharField(max_length=32, unique=True, default=new_reference, editable=False)
    upstream_name = models.CharField(max_length=255, blank=True)
    posted_at = models.DateTimeField(null=True, blank=True)
    lookup_count = models.PositiveSmallIntegerField(default=0, db_default=0)
    last_lookup_at = models.DateTimeField(null=True, blank=True)

    # The place: chosen offer and why, prices in 1/100,000 USD per GPU-hour.
    product_id = models.CharField(max_length=255, blank=True)
    cluster_id = models.CharField(max_length=255, blank=True)
    price_e5_usd = models.PositiveBigIntegerField(null=True, blank=True)
    placement = models.JSONField(default=dict, blank=True)
    refused_offers = models.JSONField(default=dict, blank=True)

    # What Novita says
    upstream_account = models.CharField(max_length=16, blank=True)
    upstream_id = models.CharField(max_length=64, blank=True)
    upstream_status = models.CharField(max_length=40, blank=True)
    upstream_seen_at = models.DateTimeField(null=True, blank=True)
    absence_seen_at = models.DateTimeField(
        null=True, blank=True, help_text="first of the two direct looks that prove absence"
    )
    # Lists lack the connect blocks; whether a look by id has brought them.
    has_details = models.BooleanField(default=False, db_default=False)
    port_mappings = models.JSONField(default=list, blank=True)
    connection = models.JSONField(default=dict, blank=True)

    objects = InstanceQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["project", "-id"], name="instance_project"),
            models.Index(
                fields=["product_name", "-ready_at"],
                condition=Q(ready_at__isnull=False),
                name="instance_start_times",
            ),
            models.Index(
                fields=["status"],
                condition=~Q(status__in=["terminated", "failed"]),
                name="instance_not_ended",
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=InstanceStatus.values), name="instance_status_known"
            ),
            models.CheckConstraint(
                condition=Q(billing_mode__in=BillingMode.values), name="instance_billing_mode_known"
            ),
            models.CheckConstraint(
                condition=Q(create_step__in=CreateStep.values), name="instance_create_step_known"
            ),
            models.UniqueConstraint(
                fields=["upstream_account", "upstream_id"],
                condition=~Q(upstream_id=""),
                name="instance_upstream_id_once",
            ),
            models.UniqueConstraint(
                fields=["upstream_name"],
                condition=~Q(upstream_name=""),
                name="instance_upstream_name_once",
            ),
            models.CheckConstraint(
                condition=~Q(status="running") | ~Q(upstream_id=""),
                name="instance_running_is_placed",
            ),
            models.CheckConstraint(
                condition=~Q(status="failed") | ~Q(error_code=""), name="instance_failed_says_why"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.public_id}"

    @property
    def is_pending(self) -> bool:
        return self.status in PENDING_STATUSES

    @property
    def has_ended(self) -> bool:
        return self.status in ENDED_STATUSES
