"""What all processes must agree on about the upstream: who we are there, how much we may call."""

import secrets

from django.db import models
from django.db.models.functions import Now

from accounts.models import Project
from core.sealed_fields import SealedTextField
from instances.domain.enums import EndingWish, Hold
from instances.models.instance import Instance


def new_installation_id() -> str:
    return secrets.token_hex(4)


def new_signing_key() -> str:
    return secrets.token_hex(32)


class Installation(models.Model):
    """This installation's own mark on upstream names: its id, and the key that signs it.

    One row. Names signed with the key are provably ours; nothing else is ever touched.
    """

    id = models.SmallIntegerField(primary_key=True, default=1)
    installation_id = models.CharField(max_length=16, default=new_installation_id)
    signing_key = SealedTextField(default=new_signing_key)
    created_at = models.DateTimeField(db_default=Now())
    # Where its database lives (novita/installation.py); a copy that was restored elsewhere must not
    # act in the name of the original.
    environment = models.CharField(max_length=64, blank=True, db_default="")
    # Too many vanished in one pass: the reconciler concludes nothing until an operator agrees.
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
    """Call budget and circuit breaker of one upstream account, shared by all processes.

    Tokens refill with time (``calls`` per minute, see novita/limiter.py). The breaker: closed
    while ``opened_until`` is null; open until that moment; then half-open, where one caller at a
    time may try (``probe_until`` is its reservation).
    """

    account = models.CharField(max_length=16, unique=True)
    # Thousandths of a call, so that slow refills lose nothing to rounding.
    tokens_e3 = models.BigIntegerField(default=0, db_default=0)
    refilled_at = models.DateTimeField(db_default=Now())
    paused_until = models.DateTimeField(null=True, blank=True, help_text="Novita said 429")
    failures_in_a_row = models.PositiveIntegerField(default=0, db_default=0)
    opened_until = models.DateTimeField(null=True, blank=True)
    probe_until = models.DateTimeField(null=True, blank=True)
    # What /health reports: what the workers saw last.
    last_success_at = models.DateTimeField(null=True, blank=True)
    last_failure_at = models.DateTimeField(null=True, blank=True)
    last_error = models.CharField(max_length=300, blank=True)
    # What a person reads: why creates are held, since when, and Novita's words. Derived from the
    # columns above and below at each report.
    hold = models.CharField(
        max_length=20, choices=Hold.choices, blank=True, default="", db_default=""
    )
    hold_since = models.DateTimeField(null=True, blank=True)
    hold_message = models.CharField(max_length=300, blank=True, default="", db_default="")
    # Creates have a breaker of their own, since the key or an edge may refuse them alone. It opens
    # at the first refusal of the key, and after some creates that nothing usable answered.
    creates_hold = models.CharField(max_length=20, blank=True, default="", db_default="")
    creates_failures = models.PositiveIntegerField(default=0, db_default=0)
    creates_retry_at = models.DateTimeField(null=True, blank=True)
    creates_probe_until = models.DateTimeField(null=True, blank=True)
    # The key is refused for what creation reads first.
    reads_refused_at = models.DateTimeField(null=True, blank=True)
    # The account's refusals hold nothing here: another request may be cheaper. They are told.
    account_hold = models.CharField(max_length=20, blank=True, default="", db_default="")
    account_refused_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "upstream gate"

    def __str__(self) -> str:
        return self.account


class UpstreamEnding(models.Model):
    """A GPU at Novita that must end, and who wanted that: the only reason for a delete.

    Open until its absence is proven (docs/absence.md); a failed instance keeps its status
    meanwhile. Opened again if it is seen alive after all. One that was confirmed when it was made
    is a wish that came after its instance was gone: it counts if the instance reappears.
    """

    project = models.ForeignKey(Project, on_delete=models.PROTECT)
    instance = models.ForeignKey(Instance, on_delete=models.PROTECT, related_name="endings")
    account = models.CharField(max_length=16)
    upstream_id = models.CharField(max_length=64)
    reason = models.CharField(max_length=300)
    # Empty: begun by a release before 0.6.0.
    wish = models.CharField(
        max_length=20, choices=EndingWish.choices, blank=True, default="", db_default=""
    )
    # Novita's word at the last look; empty before the first one.
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
    # The same answer again and again: how often, and since when.
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
    """A counter that all processes add to, for /api/metrics: name, labels, value.

    In the database and not in process memory: workers have no HTTP port, and containers share no
    folder.
    """

    name = models.CharField(max_length=60)
    labels = models.JSONField(default=dict)
    value = models.DecimalField(max_digits=24, decimal_places=6, default=0)

    class Meta:
        verbose_name_plural = "tallies"
        constraints = [models.UniqueConstraint(fields=["name", "labels"], name="tally_once")]

    def __str__(self) -> str:
        return f"{self.name}{self.labels} = {self.value}"
