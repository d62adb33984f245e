"""Projects, which own rows; API keys, which act for a project; rate limits, idempotency, audit."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from accounts.scopes import DEFAULT_SCOPES, Scope, default_scopes
from core.ids import new_public_id
from core.sealed_fields import SealedTextField

DEFAULT_PROJECT = "default"


def new_project_id() -> str:
    return new_public_id("proj")


def new_key_id() -> str:
    return new_public_id("key")


class Project(models.Model):
    """The owner of instances, keys and limits. A project cannot see the rows of another one."""

    public_id = models.CharField(max_length=40, unique=True, default=new_project_id, editable=False)
    name = models.SlugField(max_length=60, unique=True)
    # Per project: the receiver of a shared secret could forge messages to all other projects.
    webhook_secret = SealedTextField(blank=True)
    # Also signs, until this time, so that receivers can change to the new one.
    previous_webhook_secret = SealedTextField(blank=True, default="", db_default="")
    previous_webhook_secret_until = models.DateTimeField(null=True, blank=True)
    webhook_secret_shown_at = models.DateTimeField(null=True, blank=True)
    # Limits of its requests. Null: no limit of its own. Prices in 1/100,000 USD an hour for all
    # GPUs of an instance together.
    live_instance_limit = models.PositiveIntegerField(null=True, blank=True)
    default_runtime_minutes = models.PositiveIntegerField(null=True, blank=True)
    longest_runtime_minutes = models.PositiveIntegerField(null=True, blank=True)
    default_price_e5_usd = models.PositiveBigIntegerField(null=True, blank=True)
    highest_price_e5_usd = models.PositiveBigIntegerField(null=True, blank=True)
    # Ids at Novita. Null: all of the account's private templates; empty: none of them.
    private_templates = ArrayField(models.CharField(max_length=255), null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ["name"]
        permissions = [
            ("terminate_all", "Can end all instances of a project, or all that a key made"),
            ("manage_webhook_secret", "Can show and replace a project's webhook secret"),
        ]

    def __str__(self) -> str:
        return self.name


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    """Queries on API keys."""

    def usable(self) -> "ApiKeyQuerySet":
        return self.filter(revoked_at=None).filter(Q(expires_at=None) | Q(expires_at__gt=Now()))


class ApiKey(models.Model):
    """A bearer key of a project: stored as a hash, shown once when it is created."""

    public_id = models.CharField(max_length=40, unique=True, default=new_key_id, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="api_keys")
    name = models.CharField(max_length=100)
    start = models.CharField(max_length=12, help_text="first characters, to recognise a key by")
    digest = models.CharField(max_length=64, unique=True, editable=False)
    scopes = ArrayField(
        models.CharField(max_length=20, choices=Scope.choices),
        default=default_scopes,
        # For inserts by the previous release, which runs beside this one during a roll-out.
        db_default=DEFAULT_SCOPES,
    )
    # Requests a minute. Null: API_RATE_LIMIT; 0: no limit.
    rate_limit = models.PositiveIntegerField(
        null=True, blank=True, help_text="requests a minute; empty: the service's; 0: no limit"
    )
    # Precise to one minute: a write for each request would cost more than the request.
    last_used_at = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects = ApiKeyQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        verbose_name = "API key"

    def __str__(self) -> str:
        return f"{self.name} ({self.start}…)"


class SpentRate(models.Model):
    """Used part of a key's rate limit, shared by all processes (see ``rest.rate_limits``).

    The table is unlogged: the counts need not survive a crash of the database, and counting does
    not wait for the disk. Times are microseconds since 1970.
    """

    # No foreign key: each count would lock the key's row.
    api_key_id = models.BigIntegerField(primary_key=True)
    full_at = models.BigIntegerField(help_text="when everything spent will have come back")
    granted = models.IntegerField(help_text="what the last request for an allowance got")

    def __str__(self) -> str:
        return f"{self.api_key_id}: until {self.full_at}"


class IdempotentAnswer(models.Model):
    """The stored answer to a request with an Idempotency-Key, for repeats of that request.

    Written in the same transaction as the effects of the request: both exist, or neither.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64)
    status_code = models.PositiveSmallIntegerField(null=True)
    # JSON as text: jsonb would not keep the order of the fields. It may hold a new secret.
    body = SealedTextField(blank=True)
    headers = models.JSONField(default=dict)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        indexes = [models.Index(fields=["created_at"], name="idempotent_answer_age")]
        constraints = [
            models.UniqueConstraint(fields=["project", "key"], name="idempotency_key_once")
        ]

    def __str__(self) -> str:
        return f"{self.key} ({self.status_code})"


class AuditEntry(models.Model):
    """One action of a person or program: who, when, what, old values, new values, why.

    Written in the transaction of the action: both exist, or neither. The entry outlives its
    subject: ``subject`` is a public id, not a foreign key.
    """

    at = models.DateTimeField(db_default=Now(), editable=False)
    actor = models.CharField(max_length=160, help_text="operator:NAME, key:ID")
    verb = models.CharField(max_length=60, help_text="what was done, such as job.retry")
    subject = models.CharField(max_length=100, help_text="the id of what it was done to")
    project = models.ForeignKey(Project, null=True, on_delete=models.SET_NULL, related_name="+")
    before = models.JSONField(default=dict)
    after = models.JSONField(default=dict)
    reason = models.CharField(max_length=300, blank=True)
    request_id = models.CharField(max_length=100, blank=True)
    address = models.CharField(max_length=45, blank=True)

    class Meta:
        ordering = ["-id"]
        verbose_name = "audit entry"
        verbose_name_plural = "audit entries"
        indexes = [
            models.Index(fields=["subject", "-id"], name="audit_subject"),
            models.Index(fields=["actor", "-id"], name="audit_actor"),
            models.Index(fields=["verb", "-id"], name="audit_verb"),
            models.Index(fields=["at"], name="audit_age"),
        ]

    def __str__(self) -> str:
        return f"{self.actor} {self.verb} {self.subject}"
