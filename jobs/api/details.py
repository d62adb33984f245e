"""A job as this API writes it: the fields of the contract, and no secrets."""

from datetime import UTC, datetime
from typing import Any

from jobs.models import Job, JobStatus
from jobs.redaction import redacted


def job_details(job: Job) -> dict[str, Any]:
    """Optional fields are absent rather than null. Tracebacks are for operators, not in here."""
    details: dict[str, Any] = {
        "id": job.public_id,
        "type": job.type,
        "payload": redacted(job.payload),
        "status": job.status,
        "priority": job.priority,
        "attempts": job.attempts,
        "maxAttempts": job.max_attempts,
        "createdAt": _iso(job.created_at),
    }
    waits_to_retry = job.status == JobStatus.PENDING and job.processed_at is not None
    optional = {
        "processedAt": _iso(job.processed_at),
        "completedAt": _iso(job.completed_at),
        "nextRetryAt": _iso(job.run_at) if waits_to_retry else None,
        "error": job.error,
        "subject": job.subject,
        "requestId": job.request_id,
    }
    return details | {name: value for name, value in optional.items() if value}


def _iso(moment: datetime | None) -> str | None:
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
