"""Model of an instance: the request, the progress of its create, and Novita's last answer."""

import secrets
from functools import reduce
from operator import or_
from typing import Any

from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower, Now

from accounts.models import Project
from core.ids import new_public_id
from core.sealed_fields import SealedTextField
from instances.domain.enums import (
    ENDED_STATUSES,
    PENDING_STATUSES,
    Action,
    BillingMode,
    CreateStep,
    InstanceStatus,
    OnStartFailure,
)
from instances.models.expressions import HOURLY_PRICE, HasTagWord, tag_word
from instances.models.indexes import INSTANCE_INDEXES


def new_instance_id() -> str:
    return new_public_id("inst")


def new_reference() -> str:
    """Random part of an instance's name at Novita: 80 bits as hexadecimal digits."""
    return secrets.token_hex(10)


class InstanceQuerySet(models.QuerySet["Instance"]):
    """Filters for instances."""

    def of(self, project: Project) -> "InstanceQuerySet":
        return self.filter(project=project)

    def pending(self) -> "InstanceQuerySet":
        return self.filter(status__in=PENDING_STATUSES)

    def not_ended(self) -> "InstanceQuerySet":
        return self.exclude(status__in=ENDED_STATUSES)

    def living(self) -> "InstanceQuerySet":
        """Counted against a project's limit: not ended, or failed with the GPU kept."""
        kept = Q(status=InstanceStatus.FAILED, on_start_failure=OnStartFailure.KEEP)
        held = Q(upstream_gone_at=None) & ~Q(upstream_id="")
        return self.filter(~Q(status__in=ENDED_STATUSES) | (kept & held))

    def tagged(self, project: Project, key: str, *values: str) -> "InstanceQuerySet":
        """With this tag key, and one of ``values`` if any are given.

        Uses the GIN index; its words contain the project, so other projects' tags are not read.
        """
        words = [tag_word(project.pk, key, value) for value in values or (None,)]
        return self.of(project).filter(reduce(or_, (Q(HasTagWord(word)) for word in words)))

    def named_from(self, beginning: str) -> "InstanceQuerySet":
        """Whose name starts with ``beginning``, ignoring case."""
        return self.alias(lower_name=Lower("name")).filter(lower_name__startswith=beginning.lower())

    def with_hourly_price(self) -> "InstanceQuerySet":
        """Adds ``hourly_price``: 1/100,000 USD for all GPUs, -1 while unknown."""
        return self.annotate(hourly_price=HOURLY_PRICE)

    def holding(self) -> "InstanceQuerySet":
        """Holding a GPU at Novita, in any status: the left side of invariant I1."""
        return self.filter(upstream_gone_at=None).exclude(upstream_id="")


class Instance(models.Model):
    """A GPU instance from its request to its end.

    creating -> starting -> running; running -> stopping -> stopped -> starting; running or stopped
    -> migrating -> running; running -> starting (restart); starting -> stopped (no GPU for a
    restart) or stopping (a restart that does not end); running -> stopped or terminated when Novita
    reclaims, stops or loses it; any -> terminating -> terminated; creating, starting or migrating
    -> failed.
    """

    public_id = models.CharField(
        max_length=40, unique=True, default=new_instance_id, editable=False
    )
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="instances")

    # The request
    name = models.CharField(max_length=100)
    product_name = models.CharField(max_length=200)
    template_id = models.CharField(max_length=255)
    gpu_num = models.PositiveSmallIntegerField()
    rootfs_size_gb = models.PositiveIntegerField()
    # The request gave no size: the template may require more than the default.
    has_default_rootfs = models.BooleanField(default=False, db_default=False)
    region = models.CharField(max_length=60)
    billing_mode = models.CharField(
        max_length=10, choices=BillingMode.choices, default=BillingMode.SPOT
    )
    webhook_url = SealedTextField(blank=True)
    # All GPUs together, in 1/100,000 USD an hour; checked again right before the create.
    max_price_per_hour_e5_usd = models.PositiveBigIntegerField(null=True, blank=True)
    max_runtime_minutes = models.PositiveIntegerField(null=True, blank=True)
    # Readiness probe; empty: running at Novita is enough.
    readiness_probe = models.JSONField(default=dict, blank=True, db_default={})
    on_start_failure = models.CharField(
        max_length=10,
        choices=OnStartFailure.choices,
        default=OnStartFailure.TERMINATE,
        db_default="terminate",
    )

    # Actor of the request, as in events. Empty: made before 0.6.0, or adopted.
    made_by = models.CharField(max_length=160, blank=True, default="", db_default="")

    # The caller's labels; not sent to Novita.
    tags = models.JSONField(default=dict, blank=True, db_default={})
    # Increased by a trigger (migration 0009) when a field changes that callers can see. The value
    # in memory is stale after a save: read it again.
    version = models.PositiveIntegerField(default=1, db_default=1, editable=False)

    # The state
    status = models.CharField(
        max_length=12, choices=InstanceStatus.choices, default=InstanceStatus.CREATING
    )
    status_changed_at = models.DateTimeField(db_default=Now())
    # Number of the last event; the next event gets this plus one, under the row lock.
    sequence = models.PositiveIntegerField(default=0, db_default=0)
    error_code = models.CharField(max_length=40, blank=True)
    error_message = models.TextField(blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    start_deadline_at = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True, help_text="Novita's clock began")
    ready_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    # Why it is in this status without a request from its caller: enums.StatusReason.
    reason_code = models.CharField(max_length=40, blank=True, default="", db_default="")
    reason_message = models.TextField(blank=True, default="", db_default="")

    # Power action in progress and when Novita accepted it; cleared when the status is reached.
    action = models.CharField(
        max_length=10, choices=Action.choices, blank=True, default="", db_default=""
    )
    action_accepted_at = models.DateTimeField(null=True, blank=True)

    # End of the runtime limit, set when charging begins, and when the warning was sent.
    expires_at = models.DateTimeField(null=True, blank=True)
    expiry_warned_at = models.DateTimeField(null=True, blank=True)

    # Cost of the closed charged periods, and the start of the open one.
    closed_cost_e5_usd = models.PositiveBigIntegerField(default=0, db_default=0)
    billing_since = models.DateTimeField(null=True, blank=True)

    # Progress of the create: committed before the call to which it refers.
    create_step = models.CharField(
        max_length=10, choices=CreateStep.choices, default=CreateStep.CHOOSE
    )
    reference = models.CharField(max_length=32, unique=True, default=new_reference, editable=False)
    upstream_name = models.CharField(max_length=255, blank=True)
    posted_at = models.DateTimeField(null=True, blank=True)
    lookup_count = models.PositiveSmallIntegerField(default=0, db_default=0)
    last_lookup_at = models.DateTimeField(null=True, blank=True)

    # Why the create waits (enums.WaitCode); empty while it does not wait.
    wait_code = models.CharField(max_length=40, blank=True, default="", db_default="")
    wait_message = models.CharField(max_length=500, blank=True, default="", db_default="")
    waiting_since = models.DateTimeField(null=True, blank=True)
    # Creates whose outcome stayed unknown, counted by product id.
    unanswered_offers = models.JSONField(default=dict, blank=True, db_default={})

    # Chosen offer and the reason for it; prices in 1/100,000 USD per GPU-hour.
    product_id = models.CharField(max_length=255, blank=True)
    cluster_id = models.CharField(max_length=255, blank=True)
    price_e5_usd = models.PositiveBigIntegerField(null=True, blank=True)
    placement = models.JSONField(default=dict, blank=True)
    refused_offers = models.JSONField(default=dict, blank=True)

    # Novita's last answer
    upstream_account = models.CharField(max_length=16, blank=True)
    upstream_id = models.CharField(max_length=64, blank=True)
    upstream_status = models.CharField(max_length=40, blank=True)
    upstream_seen_at = models.DateTimeField(null=True, blank=True)
    upstream_changed_at = models.DateTimeField(
        null=True, blank=True, help_text="since when Novita says the same"
    )
    # Notice of a spot reclaim (instances.monitoring.spot): Novita's last word, when the notice was
    # first seen, the announced time, and a time left over from an earlier notice.
    spot_status = models.CharField(max_length=40, blank=True, default="", db_default="")
    spot_noticed_at = models.DateTimeField(null=True, blank=True)
    spot_reclaim_at = models.DateTimeField(null=True, blank=True)
    spot_past_at = models.DateTimeField(null=True, blank=True)
    # Trouble that Novita reports (instances.monitoring.trouble), and which of it has got an event.
    trouble_code = models.CharField(max_length=40, blank=True, default="", db_default="")
    trouble_message = models.CharField(max_length=300, blank=True, default="", db_default="")
    trouble_since = models.DateTimeField(null=True, blank=True)
    trouble_looks = models.PositiveIntegerField(default=0, db_default=0)
    trouble_told = models.JSONField(default=dict, blank=True, db_default={})
    # When its absence was proven; null while the GPU is held to be alive.
    upstream_gone_at = models.DateTimeField(null=True, blank=True)
    absence_seen_at = models.DateTimeField(
        null=True, blank=True, help_text="since when Novita does not show it (docs/absence.md)"
    )
    absence_looked_at = models.DateTimeField(
        null=True, blank=True, help_text="the last pass that did not find it"
    )
    absence_looks = models.PositiveSmallIntegerField(
        default=0, db_default=0, help_text="passes that did not find it"
    )
    absence_lists = models.PositiveSmallIntegerField(
        default=0, db_default=0, help_text="of them, those whose whole list agreed"
    )
    # Error of the last failed readiness probe.
    probe_error = models.CharField(max_length=300, blank=True, default="", db_default="")
    # Whether a get by id has returned the connect blocks; lists do not contain them.
    has_details = models.BooleanField(default=False, db_default=False)
    # When a get by id last returned them, since when such answers lack some of them, and a digest
    # of different addresses in a list for which a get by id was already made.
    details_seen_at = models.DateTimeField(null=True, blank=True)
    details_missing_since = models.DateTimeField(null=True, blank=True)
    details_doubt = models.CharField(max_length=16, blank=True, default="", db_default="")
    port_mappings = models.JSONField(default=list, blank=True)
    connection = models.JSONField(default=dict, blank=True)

    objects = InstanceQuerySet.as_manager()

    # Access from the current observation: no column, sealed in lifecycle/credentials.py.
    seen_access: Any = None

    class Meta:
        ordering = ["-id"]
        indexes = INSTANCE_INDEXES
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
            # A create that may have been sent has its time: the proof of absence counts from there.
            models.CheckConstraint(
                condition=~Q(create_step__in=["post", "look_up"]) | Q(posted_at__isnull=False),
                name="instance_in_doubt_since_when",
            ),
            # A row is terminated only if nothing of it is left at Novita.
            models.CheckConstraint(
                condition=~Q(status="terminated")
                | Q(upstream_id="")
                | Q(upstream_gone_at__isnull=False),
                name="instance_terminated_is_gone",
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

    @property
    def is_holding(self) -> bool:
        return bool(self.upstream_id) and self.upstream_gone_at is None

    @property
    def has_unconfirmed_create(self) -> bool:
        """Whether a create was, or may have been, sent and its outcome is unknown."""
        return self.create_step in (CreateStep.POST, CreateStep.LOOK_UP)
