"""Models of the reconciler's results: orphans, open findings, passes."""

from django.db import models
from django.db.models.functions import Now

from instances.domain.enums import OrphanState
from instances.models.instance import Instance


class Orphan(models.Model):
    """A GPU at Novita with this installation's signature in its name and no instance row.

    seen -> adopted or ended (both make an instance row), by ORPHAN_POLICY after ORPHAN_GRACE; seen
    -> gone if it disappears at Novita.
    """

    account = models.CharField(max_length=16)
    upstream_id = models.CharField(max_length=64)
    upstream_name = models.CharField(max_length=255)
    upstream_status = models.CharField(max_length=40, blank=True)
    product_name = models.CharField(max_length=255, blank=True)
    gpu_num = models.PositiveSmallIntegerField(default=1)
    price_e5_usd = models.PositiveBigIntegerField(null=True, blank=True)
    state = models.CharField(
        max_length=10, choices=OrphanState.choices, default=OrphanState.SEEN, db_default="seen"
    )
    instance = models.ForeignKey(
        Instance, null=True, blank=True, on_delete=models.PROTECT, related_name="orphans"
    )
    first_seen_at = models.DateTimeField(db_default=Now(), editable=False)
    last_seen_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["account", "upstream_id"], name="orphan_once"),
            models.CheckConstraint(
                condition=models.Q(state__in=OrphanState.values), name="orphan_state_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.upstream_id} ({self.state})"


class OpenFinding(models.Model):
    """A finding that lasts over several passes, from the first pass that has it to the last.

    For example an orphan, an instance that Novita does not show, or an active guard.
    """

    account = models.CharField(max_length=16)
    kind = models.CharField(max_length=40)
    upstream_id = models.CharField(max_length=64, blank=True)
    instance_id = models.CharField(max_length=40, blank=True, help_text="its public id")
    text = models.CharField(max_length=500)
    began_at = models.DateTimeField(db_default=Now(), editable=False)
    changed_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["account", "kind", "upstream_id", "instance_id"], name="open_finding_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.upstream_id or self.instance_id}"


class ReconcileRun(models.Model):
    """One pass of the reconciler over the whole account: counts, findings, and a note."""

    account = models.CharField(max_length=16)
    ran_at = models.DateTimeField(db_default=Now(), editable=False)
    calls = models.PositiveIntegerField(default=0)
    is_complete = models.BooleanField(default=False, help_text="the whole list was read")
    listed = models.PositiveIntegerField(default=0, help_text="instances in the account")
    ours = models.PositiveIntegerField(default=0, help_text="of them, signed by us")
    foreign = models.PositiveIntegerField(default=0, help_text="of them, not ours to touch")
    held = models.PositiveIntegerField(default=0, help_text="instances that our rows hold")
    missing = models.PositiveIntegerField(default=0, help_text="held, and not in the list")
    vanished = models.PositiveIntegerField(default=0, help_text="held, and not found directly")
    # [{"kind", "upstreamId", "instance", "text"}], at most 100.
    findings = models.JSONField(default=list)
    note = models.CharField(max_length=300, blank=True, help_text="why nothing was concluded")

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.ran_at:%Y-%m-%d %H:%M:%S} {len(self.findings)} findings"
