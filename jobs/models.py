"""Models of the job queue. ``queue``, ``engine`` and ``control`` write the state of jobs."""

from django.contrib.postgres.indexes import HashIndex
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from accounts.models import Project
from core.ids import new_public_id


def new_job_id() -> str:
    return new_public_id("job")


class JobStatus(models.TextChoices):
    """Status of a job; the transitions are in the docstring of Job."""

    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


LIVE = (JobStatus.PENDING, JobStatus.PROCESSING)
ENDED = (JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED)


class JobPriority(models.IntegerChoices):
    """A higher number is claimed first."""

    LOW = 1
    NORMAL = 2
    HIGH = 3
    CRITICAL = 4


class JobQuerySet(models.QuerySet["Job"]):
    """Queries on jobs."""

    def live(self) -> "JobQuerySet":
        return self.filter(status__in=LIVE)


class Job(models.Model):
    """One piece of work that survives every crash.

    enqueue: -> pending; claim: pending -> processing (lease, token); done: processing -> completed;
    again, retry, release: processing -> pending; give up or attempts used up: processing -> failed;
    cancel: pending or processing -> cancelled; redrive: failed -> pending.

    A processing row whose lease lapsed is claimed again under a new token, and writes under the old
    one are refused. Ended rows are pruned (``retention``).
    """

    # Not unique: it has 96 random bits, and a unique index would make claims a third slower.
    public_id = models.CharField(max_length=40, default=new_job_id, editable=False)
    # Null for recurring jobs of the service, which belong to no project.
    project = models.ForeignKey(
        Project, null=True, blank=True, on_delete=models.PROTECT, db_index=False
    )
    type = models.CharField(max_length=60)
    # Id that the job is about (an instance's). Only the handler interprets it.
    subject = models.CharField(max_length=80, blank=True)
    payload = models.JSONField(default=dict)
    status = models.CharField(
        max_length=10, choices=JobStatus.choices, default=JobStatus.PENDING, db_default="pending"
    )
    priority = models.SmallIntegerField(
        choices=JobPriority.choices, default=JobPriority.NORMAL, db_default=2
    )
    # Counted when work starts; 0 again after the outcome Again, which means progress.
    attempts = models.PositiveSmallIntegerField(default=0, db_default=0)
    max_attempts = models.PositiveSmallIntegerField(default=5, db_default=5)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    run_at = models.DateTimeField(db_default=Now())
    processed_at = models.DateTimeField(null=True, blank=True, help_text="when work last started")
    completed_at = models.DateTimeField(null=True, blank=True, help_text="when the job ended")
    error = models.TextField(blank=True, help_text="the last error")
    # The last errors with tracebacks, newest last: [{"at", "attempt", "error", "traceback"}].
    errors = models.JSONField(default=list)
    # Null for work that may be done twice: unlike "", null never equals itself in an index.
    dedupe_key = models.CharField(max_length=120, null=True, blank=True)  # noqa: DJ001
    # The same work was enqueued while this row was processing: it runs once more when done.
    rerun = models.BooleanField(default=False, db_default=False)
    lease_token = models.BigIntegerField(null=True, blank=True)
    lease_expires_at = models.DateTimeField(null=True, blank=True)
    # It came back from a dead worker, and runs in a batch of its own so that it harms no other job.
    # True until the row makes progress, fails an attempt with an error, or is redriven.
    is_suspect = models.BooleanField(default=False, db_default=False)
    worker = models.CharField(
        max_length=120, blank=True, help_text="host:pid:start of what claimed it last"
    )
    request_id = models.CharField(max_length=80, blank=True)
    # Whose share of its type it uses (JobType.is_fair): a project, or a project and a host as
    # "project|host". Empty for types without shares.
    fair_key = models.CharField(max_length=120, default="", db_default="", blank=True)

    # run_at in seconds since 1970, only on rows from leasing.jobs_of.
    due: float

    objects = JobQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        # Each index costs every claim and every outcome. No indexed column changes when a lease is
        # renewed, and most indexes contain only the rows that are searched.
        indexes = [
            # In the order of the claim: by priority within a type, then by due time.
            models.Index(
                "type",
                F("priority").desc(),
                "run_at",
                condition=Q(status="pending"),
                name="job_due",
            ),
            models.Index("type", condition=Q(status="processing"), name="job_in_flight"),
            models.Index(
                fields=["type", "fair_key", "run_at"],
                condition=Q(status="pending") & ~Q(fair_key=""),
                name="job_fair",
            ),
            HashIndex(fields=["public_id"], name="job_public_id"),
            models.Index(fields=["subject", "-id"], condition=~Q(subject=""), name="job_subject"),
            models.Index(
                fields=["project", "-id"], condition=Q(project__isnull=False), name="job_project"
            ),
            models.Index("id", condition=Q(status="failed"), name="job_failed"),
            # Rows of a project that are not completed: few among a million completed ones.
            models.Index(
                "project",
                "status",
                F("id").desc(),
                condition=Q(
                    project__isnull=False,
                    status__in=["pending", "processing", "failed", "cancelled"],
                ),
                name="job_project_not_done",
            ),
            # Ended rows by end time: for pruning and for the rates of ended jobs.
            models.Index(
                "status",
                "completed_at",
                condition=Q(completed_at__isnull=False),
                name="job_finished",
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["dedupe_key"],
                condition=Q(dedupe_key__isnull=False, status__in=["pending", "processing"]),
                name="job_live_dedupe_key",
            ),
            models.CheckConstraint(
                condition=Q(status__in=JobStatus.values), name="job_status_known"
            ),
            models.CheckConstraint(
                condition=Q(priority__in=JobPriority.values), name="job_priority_known"
            ),
            models.CheckConstraint(
                condition=Q(
                    status="processing", lease_token__isnull=False, lease_expires_at__isnull=False
                )
                | (
                    ~Q(status="processing")
                    & Q(lease_token__isnull=True, lease_expires_at__isnull=True)
                ),
                name="job_lease_while_processing",
            ),
            models.CheckConstraint(
                condition=Q(
                    status__in=["completed", "failed", "cancelled"], completed_at__isnull=False
                )
                | Q(status__in=["pending", "processing"], completed_at__isnull=True),
                name="job_completed_at_when_ended",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.public_id}"

    @property
    def is_live(self) -> bool:
        return self.status in LIVE


class Worker(models.Model):
    """A worker process, as of its last heartbeat."""

    # A pid is used again after a restart, in containers always; the start time makes it unique.
    name = models.CharField(max_length=120, unique=True, help_text="host:pid:start")
    cluster = models.CharField(
        max_length=120, blank=True, db_default="", help_text="host:pid of its worker command"
    )
    host = models.CharField(max_length=80)
    pid = models.PositiveIntegerField()
    started_at = models.DateTimeField(db_default=Now())
    last_seen_at = models.DateTimeField(db_default=Now())
    in_flight = models.PositiveIntegerField(default=0, db_default=0)
    # Its jobs, longest first, at most heartbeat.TOLD_JOBS: [{"job", "type", "seconds"}].
    running = models.JSONField(default=list, db_default=models.Value([], models.JSONField()))

    class Meta:
        ordering = ["-last_seen_at"]
        indexes = [models.Index(fields=["last_seen_at"], name="worker_last_seen")]

    def __str__(self) -> str:
        return self.name


class PausedType(models.Model):
    """A job type that is paused: no cluster starts its jobs until an operator resumes it."""

    type = models.CharField(max_length=60, unique=True)
    paused_at = models.DateTimeField(db_default=Now())
    paused_by = models.CharField(max_length=150)
    reason = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["type"]
        verbose_name = "job type"

    def __str__(self) -> str:
        return self.type


class SlowKey(models.Model):
    """A key of a fair type whose calls take long; see ``engine.slow_keys``."""

    type = models.CharField(max_length=60)
    fair_key = models.CharField(max_length=120)
    until = models.DateTimeField()

    class Meta:
        ordering = ["type", "fair_key"]
        constraints = [models.UniqueConstraint(fields=["type", "fair_key"], name="slow_key_once")]

    def __str__(self) -> str:
        return f"{self.type} {self.fair_key}"


class Counter(models.Model):
    """A counter of all worker processes, since the database was created."""

    name = models.CharField(max_length=60, unique=True)
    value = models.BigIntegerField(default=0, db_default=0)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return f"{self.name} {self.value}"
