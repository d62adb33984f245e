"""Actions of operators and callers on jobs: cancel, redrive, pause and resume a type.

Each action is one short transaction. It locks the job's row before any row of the domain, as
workers do, and writes an audit entry. Actions on many rows use one transaction for each row, so
that a refusal does not undo the others. ``actor`` is recorded: ``key:ID`` or ``operator:NAME``.
"""

from collections.abc import Callable
from dataclasses import dataclass

import structlog
from django.core.exceptions import ObjectDoesNotExist
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from accounts import audit
from jobs.engine.outcome_writer import KEPT_ERRORS
from jobs.errors import JobError, JobNotCancellable, JobNotRedrivable, UnknownJobType
from jobs.handler import JobType, get_type
from jobs.models import Job, JobStatus, PausedType
from jobs.queue import notify

logger = structlog.get_logger()

# Exceptions of a handler that cannot read its payload or rows.
UNREADABLE = (
    LookupError,
    TypeError,
    ValueError,
    ArithmeticError,
    AttributeError,
    ObjectDoesNotExist,
)

# Most rows changed by one action on matching rows: a request must not run for minutes.
MOST_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class Swept:
    """Result of an action on matching rows: the number changed, and the refusals of the others."""

    count: int
    refused: list[str]
    is_capped: bool


def cancel(job: Job, *, actor: str) -> Job:
    """Cancel a live job and call its handler's ``on_cancel``. Raises JobNotCancellable.

    A worker that runs the job loses its token and writes nothing; requests already sent stay sent.
    A job of an unknown type, or one that its handler cannot read, is cancelled as well: an operator
    must be able to get rid of every job.
    """
    with transaction.atomic():
        row = _locked(job)
        before = row.status
        _refuse_to_cancel(row)
        _end(row, actor)
        _tell_handler(row)
        _audit("job.cancel", row, actor, before)
        # There may be room under the type's cap now.
        notify()
    _log("job_cancelled", row, actor)
    row.refresh_from_db()
    return row


def redrive(job: Job, *, actor: str) -> Job:
    """Run a failed job again, with all its attempts. Raises JobNotRedrivable."""
    with transaction.atomic():
        row = _locked(job)
        handler = get_type(row.type).handler
        if row.status != JobStatus.FAILED:
            raise JobNotRedrivable(f"Job {row.public_id} is {row.status}, not failed.")
        if not handler.is_redrivable(row):
            raise JobNotRedrivable(f"A job of type {row.type} cannot be run again.")
        _revive(row, actor)
        handler.on_redrive(row)
        _audit("job.retry", row, actor, JobStatus.FAILED)
        notify()
    _log("job_redriven", row, actor)
    row.refresh_from_db()
    return row


def can_cancel(job: Job) -> bool:
    """True if ``cancel`` would accept the job in its present state."""
    try:
        _refuse_to_cancel(job)
    except JobNotCancellable:
        return False
    return True


def can_redrive(job: Job) -> bool:
    """True if ``redrive`` would accept the job and no live job has its dedupe key."""
    try:
        handler = get_type(job.type).handler
    except UnknownJobType:
        return False
    if job.status != JobStatus.FAILED or not handler.is_redrivable(job):
        return False
    return not (job.dedupe_key and Job.objects.live().filter(dedupe_key=job.dedupe_key).exists())


def cancel_matching(jobs: QuerySet[Job], *, actor: str, limit: int = MOST_AT_ONCE) -> Swept:
    """Cancel the live ones among these jobs, oldest first; skip the others."""
    live = jobs.filter(status__in=(JobStatus.PENDING, JobStatus.PROCESSING))
    return _sweep(live, limit, lambda job: cancel(job, actor=actor))


def redrive_matching(jobs: QuerySet[Job], *, actor: str, limit: int = MOST_AT_ONCE) -> Swept:
    """Redrive the failed ones among these jobs, oldest first; skip the others."""
    failed = jobs.filter(status=JobStatus.FAILED)
    return _sweep(failed, limit, lambda job: redrive(job, actor=actor))


def pause(type_: str, *, actor: str, reason: str = "") -> PausedType:
    """Stop all clusters from starting jobs of the type; running ones go on. Raises UnknownJobType.

    If the type is paused already, nothing changes, and the first actor stays recorded.
    """
    get_type(type_)
    told = {"paused_by": actor[:150], "reason": reason[:200]}
    with transaction.atomic():
        paused, is_new = PausedType.objects.get_or_create(type=type_, defaults=told)
        if is_new:
            audit.record("job_type.pause", actor=actor, subject=type_, reason=paused.reason)
    if is_new:
        logger.info("job_type_paused", type=type_, actor=actor, reason=paused.reason)
    return paused


def resume(type_: str, *, actor: str) -> None:
    """Let jobs of the type start again, at once. Raises UnknownJobType."""
    with transaction.atomic():
        # Postgres refuses a text with NUL, even in a condition.
        known = PausedType.objects.none() if "\0" in type_ else PausedType.objects
        paused = known.filter(type=type_).select_for_update().first()
        deleted, _ = known.filter(type=type_).delete()
        if paused is not None:
            before = {"pausedBy": paused.paused_by, "reason": paused.reason}
            audit.record("job_type.resume", actor=actor, subject=type_, before=before)
            notify()
        else:
            # Raises for an unknown type; a paused one can always be resumed.
            get_type(type_)
    if deleted:
        logger.info("job_type_resumed", type=type_, actor=actor)


def paused_types() -> dict[str, PausedType]:
    """The paused types by name."""
    return {row.type: row for row in PausedType.objects.all()}


def _locked(job: Job) -> Job:
    return Job.objects.select_for_update().get(pk=job.pk)


def _refuse_to_cancel(row: Job) -> None:
    if not row.is_live:
        raise JobNotCancellable(f"Job {row.public_id} has ended already: it is {row.status}.")
    job_type = _type_of(row)
    if job_type is None:
        return
    if job_type.is_recurring:
        raise JobNotCancellable(
            f"{row.type} is recurring work of the service itself; an operator can pause the type."
        )
    if not job_type.handler.is_cancellable(row):
        raise JobNotCancellable(
            f"A job of type {row.type} cannot be cancelled by itself: its work would be left"
            " half done. Terminate the instance that it is about instead."
        )


def _type_of(row: Job) -> JobType | None:
    """None if this release does not know the type."""
    try:
        return get_type(row.type)
    except UnknownJobType:
        return None


def _tell_handler(row: Job) -> None:
    """Call ``on_cancel``; if it fails, its writes are rolled back and the error is noted.

    The failure must not keep an operator from cancelling the job: a handler that cannot read it now
    cannot read it later either.
    """
    job_type = _type_of(row)
    if job_type is None:
        return
    try:
        with transaction.atomic():
            job_type.handler.on_cancel(row)
    except UNREADABLE as error:
        logger.exception("job_cancel_hook_failed", job_id=row.public_id, type=row.type)
        _note(row, f"cancelled, and its handler failed: {type(error).__name__}: {error}"[:500])
        row.save(update_fields=["errors"])


def _end(row: Job, actor: str) -> None:
    row.status = JobStatus.CANCELLED
    row.completed_at = timezone.now()
    row.lease_token = row.lease_expires_at = None
    row.rerun = False
    _note(row, f"cancelled by {actor}")
    row.save(
        update_fields=[
            *("status", "completed_at", "lease_token", "lease_expires_at", "rerun", "errors")
        ]
    )


def _revive(row: Job, actor: str) -> None:
    """Set the row to pending. Raises JobNotRedrivable if the same work is live: the unique index
    decides, races included. The transaction cannot go on after that error.
    """
    row.status = JobStatus.PENDING
    row.attempts = 0
    row.is_suspect = False
    row.completed_at = None
    row.run_at = Now()
    _note(row, f"run again by {actor}")
    try:
        row.save(
            update_fields=["status", "attempts", "is_suspect", "completed_at", "run_at", "errors"]
        )
    except IntegrityError as error:
        if "job_live_dedupe_key" not in str(error):
            raise
        raise JobNotRedrivable(
            f"Another live job already does the work of job {row.public_id}."
        ) from None


def _note(row: Job, text: str) -> None:
    entry = {"at": timezone.now().isoformat(), "error": text}
    row.errors = [*row.errors, entry][-KEPT_ERRORS:]


def _sweep(jobs: QuerySet[Job], limit: int, verb: Callable[[Job], Job]) -> Swept:
    keys = list(jobs.order_by("pk").values_list("pk", flat=True)[: limit + 1])
    count, refused = 0, []
    for key in keys[:limit]:
        try:
            verb(Job(pk=key))
        except (JobError, Job.DoesNotExist) as error:
            refused.append(str(error))
        else:
            count += 1
    return Swept(count, refused, is_capped=len(keys) > limit)


def _audit(verb: str, row: Job, actor: str, before: str) -> None:
    audit.record(
        verb,
        actor=actor,
        subject=row.public_id,
        project=row.project,
        before={"status": before},
        after={"status": row.status, "type": row.type, "about": row.subject},
    )


def _log(event: str, row: Job, actor: str) -> None:
    logger.info(event, actor=actor, job_id=row.public_id, type=row.type, subject=row.subject)
