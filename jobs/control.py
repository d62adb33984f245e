"""What operators and callers do to jobs: cancel, run again, hold a whole type back.

Every verb is one short transaction that locks the job's row before anything of the domain, as the
workers do, and leaves an audit entry. The verbs on many rows take one transaction for each, so that
one refusal does not undo the others. ``actor`` is the name that is kept: ``key:…``, ``operator:…``.
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

# What a handler raises over a payload, or rows, that are not as it expects them.
UNREADABLE = (
    LookupError,
    TypeError,
    ValueError,
    ArithmeticError,
    AttributeError,
    ObjectDoesNotExist,
)

# What one call does to matching rows at most: a request must not run for minutes.
MOST_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class Swept:
    """What became of matching rows: how many were changed, and why the others were not."""

    count: int
    refused: list[str]
    is_capped: bool


def cancel(job: Job, *, actor: str) -> Job:
    """End a job that is live and tell its handler. Raises JobNotCancellable.

    A worker that is at it finds its token gone and writes nothing; what it has sent is sent. A job
    whose type this release does not know, or whose handler cannot read it, is cancelled as well:
    an operator must be able to get rid of every job.
    """
    with transaction.atomic():
        row = _locked(job)
        before = row.status
        _refuse_to_cancel(row)
        _end(row, actor)
        _tell_handler(row)
        _audit("job.cancel", row, actor, before)
        # A slot of its type may be free now.
        notify()
    _log("job_cancelled", row, actor)
    row.refresh_from_db()
    return row


def redrive(job: Job, *, actor: str) -> Job:
    """Set a failed job going again, with all its attempts. Raises JobNotRedrivable."""
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
    """Whether ``cancel`` would do it, as the job stands."""
    try:
        _refuse_to_cancel(job)
    except JobNotCancellable:
        return False
    return True


def can_redrive(job: Job) -> bool:
    """Whether ``redrive`` would do it, as the job and its twins stand."""
    try:
        handler = get_type(job.type).handler
    except UnknownJobType:
        return False
    if job.status != JobStatus.FAILED or not handler.is_redrivable(job):
        return False
    return not (job.dedupe_key and Job.objects.live().filter(dedupe_key=job.dedupe_key).exists())


def cancel_matching(jobs: QuerySet[Job], *, actor: str, limit: int = MOST_AT_ONCE) -> Swept:
    """Cancel what is live among these jobs, oldest first; the others are no part of it."""
    live = jobs.filter(status__in=(JobStatus.PENDING, JobStatus.PROCESSING))
    return _sweep(live, limit, lambda job: cancel(job, actor=actor))


def redrive_matching(jobs: QuerySet[Job], *, actor: str, limit: int = MOST_AT_ONCE) -> Swept:
    """Set going what has failed among these jobs, oldest first; the others are no part of it."""
    failed = jobs.filter(status=JobStatus.FAILED)
    return _sweep(failed, limit, lambda job: redrive(job, actor=actor))


def pause(type_: str, *, actor: str, reason: str = "") -> PausedType:
    """Let no cluster start jobs of the type; what has started goes on. Raises UnknownJobType.

    A type that is paused already stays so, under the name of whoever was first.
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
    """Let the type's jobs be started again, at once. Raises UnknownJobType."""
    with transaction.atomic():
        # Postgres cannot even be asked for NUL.
        known = PausedType.objects.none() if "\0" in type_ else PausedType.objects
        paused = known.filter(type=type_).select_for_update().first()
        deleted, _ = known.filter(type=type_).delete()
        if paused is not None:
            before = {"pausedBy": paused.paused_by, "reason": paused.reason}
            audit.record("job_type.resume", actor=actor, subject=type_, before=before)
            notify()
        else:
            # A type that a newer release no longer knows can still be resumed.
            get_type(type_)
    if deleted:
        logger.info("job_type_resumed", type=type_, actor=actor)


def paused_types() -> dict[str, PausedType]:
    """By type."""
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
    """None for a type that this release does not know."""
    try:
        return get_type(row.type)
    except UnknownJobType:
        return None


def _tell_handler(row: Job) -> None:
    """Let the handler write what its job's end means; a handler that fails writes nothing.

    Its failure must not keep an operator from cancelling the job: what it cannot read, no later
    attempt could read.
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
    """Back to pending; the unique index decides whether the same work is live, races included.

    What it refuses leaves nothing to be done in this transaction but to end it, by raising.
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
