"""Models of the account at Novita: installation, limiter, terminations and metric counters."""

import secrets

from django.db import models
from django.db.models.functions import Now

from accounts.models import Project
from core.sealed_fields import SealedTextField
from instances.domain.enums import EndingDecision, Hold
from instances.models.instance import Instance


def new_installation_id() -> str:
    return secrets.token_hex(4)


def new_signing_key() -> str:
    return secrets.token_hex(32)


class Installation(models.Model):
    """Identity of this installation in names at Novita: its id and the signing key. One row.

    Only GPUs whose name is signed with this key are ever changed.
    """

    id = models.SmallIntegerField(primary_key=True, default=1)
    installation_id = models.CharField(max_length=16, default=new_installation_id)
    signing_key = SealedTextField(default=new_signing_key)
    created_at = models.DateTimeField(db_default=Now())
    # Fingerprint of the database's location (novita/installation.py): a copy restored elsewhere
    # must not act as the original.
    environment = models.CharField(max_length=64, blank=True, db_default="")
    # Mass guard: since when many instances that vanished in one pass are doubted, and why; and
    # until when an operator has switched it off.
    braked_at = models.DateTimeField(null=True, blank=True)
    brake_reason = models.CharField(max_length=300, blank=True, db_default="")
    brake_off_until = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(id=1), name="installation_only_one")
        ]

    def __str__(self) -> str:
        return self.installation_id


class UpstreamGate(models.Model):
    """Call budget and circuit breaker of one account at Novita, shared by all processes.

    Tokens refill with time (novita/limiter.py). The breaker is closed while ``opened_until`` is
    null, open until that time, then half-open: one caller at a time may try, until ``probe_until``.
    """

    account = models.CharField(max_length=16, unique=True)
    # Thousandths of a call, so that slow refills are not rounded away.
    tokens_e3 = models.BigIntegerField(default=0, db_default=0)
    refilled_at = models.DateTimeField(db_default=Now())
    paused_until = models.DateTimeField(null=True, blank=True, help_text="Novita said 429")
    failures_in_a_row = models.PositiveIntegerField(default=0, db_default=0)
    opened_until = models.DateTimeField(null=True, blank=True)
    probe_until = models.DateTimeField(null=True, blank=True)
    # For /health: last results of the workers' calls.
    last_success_at = models.DateTimeField(null=True, blank=True)
    last_failure_at = models.DateTimeField(null=True, blank=True)
    last_error = models.CharField(max_length=300, blank=True)
    # For people: why creates are held, since when, and Novita's words. Derived from the other
    # columns at each report.
    hold = models.CharField(
        max_length=20, choices=Hold.choices, blank=True, default="", db_default=""
    )
    hold_since = models.DateTimeField(null=True, blank=True)
    hold_message = models.CharField(max_length=300, blank=True, default="", db_default="")
    # Separate breaker for creates, since the key or an edge may refuse creates only. Opens at the
    # first refusal of the key, and after several creates without a usable answer.
    creates_hold = models.CharField(max_length=20, blank=True, default="", db_default="")
    creates_failures = models.PositiveIntegerField(default=0, db_default=0)
    creates_retry_at = models.DateTimeField(null=True, blank=True)
    creates_probe_until = models.DateTimeField(null=True, blank=True)
    # When Novita first refused the key for the catalogue reads that precede a create.
    reads_refused_at = models.DateTimeField(null=True, blank=True)
    # Projects that wait for calls, by class of calls (novita/turns.py); empty while none waits.
    turns = models.JSONField(default=dict, db_default={}, blank=True)
    # Refusal for balance or quota. Shown only; holds no creates, since another may be cheaper.
    account_hold = models.CharField(max_length=20, blank=True, default="", db_default="")
    account_refused_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "upstream gate"

    def __str__(self) -> str:
        return self.account


class UpstreamEnding(models.Model):
    """A GPU at Novita that must end, and whose decision that was: the only reason for a delete.

    Open until the absence is proven (docs/absence.md); the status of a failed instance stays.
    Reopened if the GPU is seen alive. Confirmed from the start if the end was requested after the
    GPU was gone: it applies if the instance reappears.
    """

    project = models.ForeignKey(Project, on_delete=models.PROTECT)
    instance = models.ForeignKey(Instance, on_delete=models.PROTECT, related_name="endings")
    account = models.CharField(max_length=16)
    upstream_id = models.CharField(max_length=64)
    reason = models.CharField(max_length=300)
    # Empty: begun by a release before 0.6.0.
    wish = models.CharField(
        max_length=20, choices=EndingDecision.choices, blank=True, default="", db_default=""
    )
    # Novita's word in the last get by id; empty before the first.
    upstream_status = models.CharField(max_length=40, blank=True, default="", db_default="")
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    absence_seen_at = models.DateTimeField(
        null=True, blank=True, help_text="since when Novita says that it is gone"
    )
    refused_since = models.DateTimeField(
        null=True, blank=True, help_text="since when Novita refuses its id, in whatever words"
    )
    refused_looks = models.PositiveIntegerField(default=0, db_default=0)
    lists_without = models.PositiveIntegerField(
        default=0, db_default=0, help_text="whole lists since then that lack it"
    )
    list_without_at = models.DateTimeField(null=True, blank=True)
    confirmed_at = models.DateTimeField(null=True, blank=True)
    last_error = models.CharField(max_length=500, blank=True)
    # Consecutive identical errors: how many, and since when.
    error_count = models.PositiveIntegerField(default=0, db_default=0)
    error_since = models.DateTimeField(null=True, blank=True)
    held_up_at = models.DateTimeField(
        null=True, blank=True, help_text="when its instance's events said that it takes long"
    )
    looks = models.PositiveIntegerField(default=0, db_default=0)
    deletes_accepted = models.PositiveIntegerField(default=0, db_default=0)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["account", "upstream_id"], name="ending_once")
        ]
        indexes = [
            models.Index(
                fields=["id"], condition=models.Q(confirmed_at__isnull=True), name="ending_open"
            )
        ]

    def __str__(self) -> str:
        return f"{self.upstream_id} ({'ended' if self.confirmed_at else 'ending'})"


class Tally(models.Model):
    """Metric counter for /api/metrics, increased by all processes: name, labels, value.

    In the database: workers have no HTTP port, and containers share no directory.
    """

    name = models.CharField(max_length=60)
    labels = models.JSONField(default=dict)
    value = models.DecimalField(max_digits=24, decimal_places=6, default=0)

    class Meta:
        verbose_name_plural = "tallies"
        constraints = [models.UniqueConstraint(fields=["name", "labels"], name="tally_once")]

    def __str__(self) -> str:
        return f"{self.name}{self.labels} = {self.value}"
